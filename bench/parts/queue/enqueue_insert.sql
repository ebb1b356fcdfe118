INSERT INTO plain_row
SELECT block * 10000 + n, now(), 1, 10, 1, 0, 0, item
FROM payload, (SELECT nextval('plain_row_block') AS block) b, unnest(list) WITH ORDINALITY u (item, n);
