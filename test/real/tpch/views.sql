-- The 22 queries of TPC-H (clause 2.4 of its specification) as materialized views, their parameters chosen
-- so that they find something at this scale. None has an index: a diff needs none.

CREATE MATERIALIZED VIEW q01 AS
SELECT l_returnflag, l_linestatus, sum(l_quantity) AS quantity, sum(l_extendedprice) AS base_price,
       sum(l_extendedprice * (1 - l_discount)) AS disc_price, sum(l_extendedprice * (1 - l_discount) * (1 + l_tax)) AS charge,
       avg(l_quantity) AS avg_quantity, avg(l_extendedprice) AS avg_price, avg(l_discount) AS avg_disc, count(*) AS orders
FROM lineitem WHERE l_shipdate <= date '1998-12-01' - interval '90 days' GROUP BY l_returnflag, l_linestatus;

CREATE MATERIALIZED VIEW q02 AS
SELECT s_acctbal, s_name, n_name, p_partkey, p_mfgr, s_address, s_phone, s_comment
FROM part JOIN partsupp ON ps_partkey = p_partkey JOIN supplier ON s_suppkey = ps_suppkey
     JOIN nation ON n_nationkey = s_nationkey JOIN region ON r_regionkey = n_regionkey
WHERE p_size < 20 AND p_type LIKE '%BRASS' AND r_name = 'EUROPE' AND ps_supplycost = (
    SELECT min(ps_supplycost) FROM partsupp JOIN supplier ON s_suppkey = ps_suppkey JOIN nation ON n_nationkey = s_nationkey
        JOIN region ON r_regionkey = n_regionkey WHERE ps_partkey = p_partkey AND r_name = 'EUROPE')
ORDER BY s_acctbal DESC, n_name, s_name, p_partkey LIMIT 100;

CREATE MATERIALIZED VIEW q03 AS
SELECT l_orderkey, sum(l_extendedprice * (1 - l_discount)) AS revenue, o_orderdate, o_shippriority
FROM customer JOIN orders ON o_custkey = c_custkey JOIN lineitem ON l_orderkey = o_orderkey
WHERE c_mktsegment = 'BUILDING' AND o_orderdate < '1995-03-15' AND l_shipdate > '1995-03-15'
GROUP BY l_orderkey, o_orderdate, o_shippriority ORDER BY revenue DESC, o_orderdate, l_orderkey LIMIT 10;

CREATE MATERIALIZED VIEW q04 AS
SELECT o_orderpriority, count(*) AS orders FROM orders
WHERE o_orderdate >= '1993-07-01' AND o_orderdate < date '1993-07-01' + interval '3 months'
  AND EXISTS (SELECT FROM lineitem WHERE l_orderkey = o_orderkey AND l_commitdate < l_receiptdate)
GROUP BY o_orderpriority;

CREATE MATERIALIZED VIEW q05 AS
SELECT n_name, sum(l_extendedprice * (1 - l_discount)) AS revenue
FROM customer JOIN orders ON o_custkey = c_custkey JOIN lineitem ON l_orderkey = o_orderkey
     JOIN supplier ON s_suppkey = l_suppkey AND s_nationkey = c_nationkey JOIN nation ON n_nationkey = s_nationkey
     JOIN region ON r_regionkey = n_regionkey
WHERE r_name = 'ASIA' AND o_orderdate >= '1993-01-01' AND o_orderdate < '1997-01-01' GROUP BY n_name;

CREATE MATERIALIZED VIEW q06 AS
SELECT sum(l_extendedprice * l_discount) AS revenue FROM lineitem
WHERE l_shipdate >= '1994-01-01' AND l_shipdate < '1995-01-01' AND l_discount BETWEEN 0.05 AND 0.07 AND l_quantity < 24;

CREATE MATERIALIZED VIEW q07 AS
SELECT n1.n_name AS supp_nation, n2.n_name AS cust_nation, extract(year FROM l_shipdate) AS l_year,
       sum(l_extendedprice * (1 - l_discount)) AS revenue
FROM supplier JOIN lineitem ON l_suppkey = s_suppkey JOIN orders ON o_orderkey = l_orderkey JOIN customer ON c_custkey = o_custkey
     JOIN nation n1 ON n1.n_nationkey = s_nationkey JOIN nation n2 ON n2.n_nationkey = c_nationkey
WHERE (n1.n_name, n2.n_name) IN (('FRANCE', 'GERMANY'), ('GERMANY', 'FRANCE')) AND l_shipdate BETWEEN '1993-01-01' AND '1996-12-31'
GROUP BY supp_nation, cust_nation, l_year;

CREATE MATERIALIZED VIEW q08 AS
SELECT o_year, sum(CASE WHEN nation = 'BRAZIL' THEN volume ELSE 0 END) / sum(volume) AS share FROM (
    SELECT extract(year FROM o_orderdate) AS o_year, l_extendedprice * (1 - l_discount) AS volume, n2.n_name AS nation
    FROM part JOIN lineitem ON l_partkey = p_partkey JOIN supplier ON s_suppkey = l_suppkey JOIN orders ON o_orderkey = l_orderkey
         JOIN customer ON c_custkey = o_custkey JOIN nation n1 ON n1.n_nationkey = c_nationkey JOIN region ON r_regionkey = n1.n_regionkey
         JOIN nation n2 ON n2.n_nationkey = s_nationkey
    WHERE r_name = 'AMERICA' AND p_type LIKE 'ECONOMY%') AS all_nations GROUP BY o_year;

CREATE MATERIALIZED VIEW q09 AS
SELECT nation, o_year, sum(amount) AS profit FROM (
    SELECT n_name AS nation, extract(year FROM o_orderdate) AS o_year, l_extendedprice * (1 - l_discount) - ps_supplycost * l_quantity AS amount
    FROM part JOIN lineitem ON l_partkey = p_partkey JOIN partsupp ON ps_suppkey = l_suppkey AND ps_partkey = l_partkey
         JOIN supplier ON s_suppkey = l_suppkey JOIN orders ON o_orderkey = l_orderkey JOIN nation ON n_nationkey = s_nationkey
    WHERE p_name LIKE '%green%') AS profit GROUP BY nation, o_year;

CREATE MATERIALIZED VIEW q10 AS
SELECT c_custkey, c_name, sum(l_extendedprice * (1 - l_discount)) AS revenue, c_acctbal, n_name, c_address, c_phone, c_comment
FROM customer JOIN orders ON o_custkey = c_custkey JOIN lineitem ON l_orderkey = o_orderkey JOIN nation ON n_nationkey = c_nationkey
WHERE o_orderdate >= '1993-10-01' AND o_orderdate < '1994-04-01' AND l_returnflag = 'R'
GROUP BY c_custkey, n_name ORDER BY revenue DESC, c_custkey LIMIT 20;

CREATE MATERIALIZED VIEW q11 AS
SELECT ps_partkey, sum(ps_supplycost * ps_availqty) AS value
FROM partsupp JOIN supplier ON s_suppkey = ps_suppkey JOIN nation ON n_nationkey = s_nationkey WHERE n_name = 'GERMANY'
GROUP BY ps_partkey HAVING sum(ps_supplycost * ps_availqty) > (
    SELECT sum(ps_supplycost * ps_availqty) * 0.01 FROM partsupp JOIN supplier ON s_suppkey = ps_suppkey
        JOIN nation ON n_nationkey = s_nationkey WHERE n_name = 'GERMANY');

CREATE MATERIALIZED VIEW q12 AS
SELECT l_shipmode, count(*) FILTER (WHERE o_orderpriority IN ('1-URGENT', '2-HIGH')) AS high,
       count(*) FILTER (WHERE o_orderpriority NOT IN ('1-URGENT', '2-HIGH')) AS low
FROM orders JOIN lineitem ON l_orderkey = o_orderkey
WHERE l_shipmode IN ('MAIL', 'SHIP') AND l_commitdate < l_receiptdate AND l_shipdate < l_commitdate AND l_receiptdate >= '1994-01-01'
  AND l_receiptdate < '1996-01-01' GROUP BY l_shipmode;

CREATE MATERIALIZED VIEW q13 AS
SELECT orders, count(*) AS customers FROM (
    SELECT c_custkey, count(o_orderkey) AS orders FROM customer LEFT JOIN orders
        ON o_custkey = c_custkey AND o_comment NOT LIKE '%special%requests%' GROUP BY c_custkey) AS c GROUP BY orders;

CREATE MATERIALIZED VIEW q14 AS
SELECT 100.00 * sum(CASE WHEN p_type LIKE 'PROMO%' THEN l_extendedprice * (1 - l_discount) ELSE 0 END) / sum(l_extendedprice * (1 - l_discount)) AS promo
FROM lineitem JOIN part ON p_partkey = l_partkey WHERE l_shipdate >= '1995-09-01' AND l_shipdate < '1995-10-01';

CREATE VIEW revenue AS
SELECT l_suppkey AS supplier_no, sum(l_extendedprice * (1 - l_discount)) AS total_revenue
FROM lineitem WHERE l_shipdate >= '1996-01-01' AND l_shipdate < '1996-04-01' GROUP BY l_suppkey;
CREATE MATERIALIZED VIEW q15 AS
SELECT s_suppkey, s_name, s_address, s_phone, total_revenue FROM supplier JOIN revenue ON supplier_no = s_suppkey
WHERE total_revenue = (SELECT max(total_revenue) FROM revenue);

CREATE MATERIALIZED VIEW q16 AS
SELECT p_brand, p_type, p_size, count(DISTINCT ps_suppkey) AS suppliers FROM partsupp JOIN part ON p_partkey = ps_partkey
WHERE p_brand <> 'Brand#11' AND p_type NOT LIKE 'MEDIUM POLISHED%' AND p_size IN (49, 14, 23, 45, 19, 3, 36, 9)
  AND ps_suppkey NOT IN (SELECT s_suppkey FROM supplier WHERE s_comment LIKE '%Customer%Complaints%')
GROUP BY p_brand, p_type, p_size;

CREATE MATERIALIZED VIEW q17 AS
SELECT sum(l_extendedprice) / 7.0 AS avg_yearly FROM lineitem JOIN part ON p_partkey = l_partkey
WHERE p_brand LIKE 'Brand#2%' AND p_container LIKE 'MED%'
  AND l_quantity < (SELECT 0.5 * avg(l_quantity) FROM lineitem WHERE l_partkey = p_partkey);

CREATE MATERIALIZED VIEW q18 AS
SELECT c_name, c_custkey, o_orderkey, o_orderdate, o_totalprice, sum(l_quantity) AS quantity
FROM customer JOIN orders ON o_custkey = c_custkey JOIN lineitem ON l_orderkey = o_orderkey
WHERE o_orderkey IN (SELECT l_orderkey FROM lineitem GROUP BY l_orderkey HAVING sum(l_quantity) > 220)
GROUP BY c_name, c_custkey, o_orderkey, o_orderdate, o_totalprice ORDER BY o_totalprice DESC, o_orderdate, o_orderkey LIMIT 100;

CREATE MATERIALIZED VIEW q19 AS
SELECT sum(l_extendedprice * (1 - l_discount)) AS revenue FROM lineitem JOIN part ON p_partkey = l_partkey
WHERE l_shipmode IN ('AIR', 'REG AIR') AND (
    p_brand = 'Brand#12' AND p_container LIKE 'SM%' AND l_quantity BETWEEN 1 AND 31 AND p_size BETWEEN 1 AND 25
    OR p_brand = 'Brand#23' AND p_container LIKE 'MED%' AND l_quantity BETWEEN 10 AND 40 AND p_size BETWEEN 1 AND 30
    OR p_brand = 'Brand#31' AND p_container LIKE 'LG%' AND l_quantity BETWEEN 20 AND 50 AND p_size BETWEEN 1 AND 35);

CREATE MATERIALIZED VIEW q20 AS
SELECT s_name, s_address FROM supplier JOIN nation ON n_nationkey = s_nationkey
WHERE n_name IN ('CANADA', 'INDIA', 'KENYA') AND s_suppkey IN (
    SELECT ps_suppkey FROM partsupp WHERE ps_partkey IN (SELECT p_partkey FROM part WHERE p_name LIKE 'forest%')
      AND ps_availqty > (SELECT 0.5 * coalesce(sum(l_quantity), 0) FROM lineitem WHERE l_partkey = ps_partkey AND l_suppkey = ps_suppkey));

CREATE MATERIALIZED VIEW q21 AS
SELECT s_name, count(*) AS waits FROM supplier JOIN lineitem l1 ON l1.l_suppkey = s_suppkey JOIN orders ON o_orderkey = l1.l_orderkey
     JOIN nation ON n_nationkey = s_nationkey
WHERE o_orderstatus = 'F' AND l1.l_receiptdate > l1.l_commitdate AND n_name LIKE '%A'
  AND EXISTS (SELECT FROM lineitem l2 WHERE l2.l_orderkey = l1.l_orderkey AND l2.l_suppkey <> l1.l_suppkey)
  AND NOT EXISTS (SELECT FROM lineitem l3 WHERE l3.l_orderkey = l1.l_orderkey AND l3.l_suppkey <> l1.l_suppkey
                  AND l3.l_receiptdate > l3.l_commitdate)
GROUP BY s_name ORDER BY waits DESC, s_name LIMIT 100;

CREATE MATERIALIZED VIEW q22 AS
SELECT code, count(*) AS customers, sum(c_acctbal) AS balance FROM (
    SELECT substring(c_phone FROM 1 FOR 2) AS code, c_acctbal FROM customer
    WHERE substring(c_phone FROM 1 FOR 2) IN ('13', '31', '23', '29', '30', '18', '17')
      AND c_acctbal > (SELECT avg(c_acctbal) FROM customer WHERE c_acctbal > 0)
      AND NOT EXISTS (SELECT FROM orders WHERE o_custkey = c_custkey)) AS c GROUP BY code;
