-- Seven materialized views over the Chinook record shop, in dependency order. Four have a unique index,
-- three have none; two are stacked, one stands on a plain view.

CREATE MATERIALIZED VIEW sales_by_country AS
SELECT billing_country AS country, count(*) AS invoices, sum(total) AS revenue, max(invoice_date) AS last_sale
  FROM invoice GROUP BY billing_country;
CREATE UNIQUE INDEX ON sales_by_country (country);

CREATE MATERIALIZED VIEW sales_by_genre AS
SELECT g.genre_id, g.name AS genre, coalesce(sum(l.quantity), 0) AS sold, coalesce(sum(l.quantity * l.unit_price), 0) AS revenue
  FROM genre g LEFT JOIN track t USING (genre_id) LEFT JOIN invoice_line l USING (track_id)
 GROUP BY g.genre_id, g.name;
CREATE UNIQUE INDEX ON sales_by_genre (genre_id);

-- No unique index: duplicate rows are what it is about.
CREATE MATERIALIZED VIEW lines_sold AS
SELECT t.name AS track, l.unit_price, l.quantity FROM invoice_line l JOIN track t USING (track_id);

CREATE MATERIALIZED VIEW artist_catalog AS
SELECT a.artist_id, a.name AS artist, count(DISTINCT b.album_id) AS albums, count(t.track_id) AS tracks,
       sum(t.milliseconds) AS milliseconds
  FROM artist a LEFT JOIN album b USING (artist_id) LEFT JOIN track t USING (album_id)
 GROUP BY a.artist_id, a.name;
CREATE UNIQUE INDEX ON artist_catalog (artist_id);

-- Through a plain view.
CREATE VIEW customer_invoice AS
SELECT c.customer_id, c.first_name || ' ' || c.last_name AS customer, c.support_rep_id, i.invoice_id, i.total
  FROM customer c LEFT JOIN invoice i USING (customer_id);
CREATE MATERIALIZED VIEW customer_value AS
SELECT customer_id, customer, support_rep_id, count(invoice_id) AS invoices, coalesce(sum(total), 0) AS spent
  FROM customer_invoice GROUP BY customer_id, customer, support_rep_id;
CREATE UNIQUE INDEX ON customer_value (customer_id);

-- Stacked on other materialized views.
CREATE MATERIALIZED VIEW country_rank AS
SELECT country, revenue, rank() OVER (ORDER BY revenue DESC) AS place,
       round(revenue / sum(revenue) OVER () * 100, 2) AS percent
  FROM sales_by_country;

CREATE MATERIALIZED VIEW support_performance AS
SELECT e.employee_id, e.last_name, count(v.customer_id) AS customers, sum(v.spent) AS revenue
  FROM employee e JOIN customer_value v ON v.support_rep_id = e.employee_id
 GROUP BY e.employee_id, e.last_name;
