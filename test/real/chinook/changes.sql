-- A day at the shop. It reaches each of the seven views: rows appear, change and go, also a NULL, a
-- duplicate, and a country that was not there before.
BEGIN;
INSERT INTO customer (customer_id, first_name, last_name, country, email, support_rep_id)
VALUES (1001, 'Ada', 'Quist', 'Iceland', 'ada@shop.example', 3), (1002, 'Nils', 'Brandt', NULL, 'nils@shop.example', 4);
INSERT INTO invoice (invoice_id, customer_id, invoice_date, billing_country, total)
VALUES (1001, 1001, '2026-01-15 10:00', 'Iceland', 3.96), (1002, 1002, '2026-01-15 11:00', NULL, 0.99),
       (1003, 1, '2026-01-16 09:30', 'Brazil', 1.98);
INSERT INTO invoice_line (invoice_line_id, invoice_id, track_id, unit_price, quantity)
VALUES (10001, 1001, 1, 0.99, 4), (10002, 1002, 2, 0.99, 1), (10003, 1003, 2, 0.99, 1), (10004, 1003, 2, 0.99, 1);
UPDATE invoice SET total = total + 5 WHERE billing_country = 'Norway';
DELETE FROM invoice_line WHERE invoice_id = 5;
DELETE FROM invoice WHERE invoice_id = 5;
INSERT INTO genre VALUES (1001, 'Field recordings');
UPDATE track SET genre_id = 1001 WHERE track_id BETWEEN 1 AND 20;
INSERT INTO artist VALUES (1001, NULL);
INSERT INTO album VALUES (1001, 'Tides', 1001);
UPDATE track SET album_id = 1001, name = name || ' (live)' WHERE track_id BETWEEN 100 AND 110;
UPDATE customer SET support_rep_id = 5 WHERE customer_id IN (2, 3);
COMMIT;
