-- The tables of TPC-H (its specification, revision 3, clause 1.4), filled by a generator of our own: the
-- same keys, ranges and words where the queries look at them, at about a five-hundredth of scale 1.
SELECT setseed(0.25);

CREATE FUNCTION pick(VARIADIC words text[]) RETURNS text LANGUAGE sql VOLATILE
    AS 'SELECT words[1 + floor(random() * array_length(words, 1))::int]';
CREATE FUNCTION up_to(n int) RETURNS int LANGUAGE sql VOLATILE AS 'SELECT 1 + floor(random() * n)::int';

CREATE TABLE region (r_regionkey int PRIMARY KEY, r_name text, r_comment text);
CREATE TABLE nation (n_nationkey int PRIMARY KEY, n_name text, n_regionkey int REFERENCES region, n_comment text);
CREATE TABLE supplier (s_suppkey int PRIMARY KEY, s_name text, s_address text, s_nationkey int REFERENCES nation, s_phone text,
    s_acctbal numeric(15,2), s_comment text);
CREATE TABLE customer (c_custkey int PRIMARY KEY, c_name text, c_address text, c_nationkey int REFERENCES nation, c_phone text,
    c_acctbal numeric(15,2), c_mktsegment text, c_comment text);
CREATE TABLE part (p_partkey int PRIMARY KEY, p_name text, p_mfgr text, p_brand text, p_type text, p_size int, p_container text,
    p_retailprice numeric(15,2), p_comment text);
CREATE TABLE partsupp (ps_partkey int REFERENCES part, ps_suppkey int REFERENCES supplier, ps_availqty int,
    ps_supplycost numeric(15,2), ps_comment text, PRIMARY KEY (ps_partkey, ps_suppkey));
CREATE TABLE orders (o_orderkey int PRIMARY KEY, o_custkey int REFERENCES customer, o_orderstatus "char", o_totalprice numeric(15,2),
    o_orderdate date, o_orderpriority text, o_clerk text, o_shippriority int, o_comment text);
CREATE TABLE lineitem (l_orderkey int REFERENCES orders, l_partkey int, l_suppkey int, l_linenumber int, l_quantity numeric(15,2),
    l_extendedprice numeric(15,2), l_discount numeric(15,2), l_tax numeric(15,2), l_returnflag "char", l_linestatus "char",
    l_shipdate date, l_commitdate date, l_receiptdate date, l_shipinstruct text, l_shipmode text, l_comment text,
    PRIMARY KEY (l_orderkey, l_linenumber), FOREIGN KEY (l_partkey, l_suppkey) REFERENCES partsupp);

INSERT INTO region SELECT ordinality - 1, name, '' FROM unnest('{AFRICA,AMERICA,ASIA,EUROPE,MIDDLE EAST}'::text[]) WITH ORDINALITY r (name, ordinality);
INSERT INTO nation SELECT ordinality - 1, split_part(name, '/', 1), split_part(name, '/', 2)::int, ''
FROM unnest('{ALGERIA/0,ARGENTINA/1,BRAZIL/1,CANADA/1,EGYPT/4,ETHIOPIA/0,FRANCE/3,GERMANY/3,INDIA/2,INDONESIA/2,IRAN/4,IRAQ/4,JAPAN/2,
JORDAN/4,KENYA/0,MOROCCO/0,MOZAMBIQUE/0,PERU/1,CHINA/2,ROMANIA/3,SAUDI ARABIA/4,VIETNAM/2,RUSSIA/3,UNITED KINGDOM/3,
UNITED STATES/1}'::text[]) WITH ORDINALITY n (name, ordinality);
INSERT INTO supplier SELECT g, format('Supplier#%s', g), md5(g::text), g % 25, format('%s-%s', 10 + g % 25, 100 + g), random() * 10000 - 1000,
    CASE WHEN g % 20 = 0 THEN 'sly Customer of many Complaints' ELSE 'even deposits' END FROM generate_series(1, 100) g;
INSERT INTO customer SELECT g, format('Customer#%s', g), md5(g::text), (g * 7) % 25, format('%s-%s', 10 + (g * 7) % 25, 100 + g), random() * 11000 - 1000,
    pick('AUTOMOBILE', 'BUILDING', 'FURNITURE', 'MACHINERY', 'HOUSEHOLD'), 'bold accounts' FROM generate_series(1, 300) g;
INSERT INTO part SELECT g, concat_ws(' ', pick('almond', 'forest', 'green', 'khaki', 'rose'), pick('lace', 'linen', 'green', 'navy')),
    'Manufacturer#' || m, format('Brand#%s%s', m, up_to(3)),
    concat_ws(' ', pick('STANDARD', 'SMALL', 'MEDIUM', 'LARGE', 'ECONOMY', 'PROMO'), pick('ANODIZED', 'BURNISHED', 'PLATED', 'POLISHED', 'BRUSHED'),
        pick('TIN', 'NICKEL', 'BRASS', 'STEEL', 'COPPER')), up_to(50),
    concat_ws(' ', pick('SM', 'LG', 'MED', 'JUMBO', 'WRAP'), pick('CASE', 'BOX', 'BAG', 'PKG', 'PACK')), 900 + g % 200, 'plain'
FROM (SELECT g, up_to(3) AS m FROM generate_series(1, 400) g) p;
INSERT INTO partsupp SELECT p, 1 + (p * 3 + s * 25) % 100, up_to(9999), 1 + random() * 1000, 'quick'
FROM generate_series(1, 400) p, generate_series(0, 3) s;
INSERT INTO orders SELECT g, 1 + (up_to(100) * 3) % 300, pick('F', 'O', 'P')::"char", 0, date '1992-01-01' + up_to(2400),
    pick('1-URGENT', '2-HIGH', '3-MEDIUM', '4-NOT SPECIFIED', '5-LOW'), 'Clerk#' || up_to(20), 0,
    CASE WHEN g % 15 = 0 THEN 'special packages, many requests' ELSE 'final' END FROM generate_series(1, 3000) g;

CREATE FUNCTION new_lines(first_order int, last_order int) RETURNS SETOF lineitem LANGUAGE sql VOLATILE AS $$
    SELECT o_orderkey, ps_partkey, ps_suppkey, n, q, q * (900 + ps_partkey % 200), (up_to(11) - 1) / 100.0, (up_to(9) - 1) / 100.0,
        CASE WHEN o_orderdate < '1995-06-01' THEN pick('R', 'A') ELSE 'N' END::"char", CASE WHEN o_orderdate < '1995-06-01' THEN 'F' ELSE 'O' END::"char",
        o_orderdate + up_to(121), o_orderdate + 29 + up_to(61), o_orderdate + up_to(121) + up_to(30),
        pick('DELIVER IN PERSON', 'COLLECT COD', 'NONE', 'TAKE BACK RETURN'), pick('REG AIR', 'AIR', 'RAIL', 'SHIP', 'TRUCK', 'MAIL', 'FOB'), 'slow'
    FROM (SELECT *, up_to(400) AS p, (up_to(4) - 1) AS s, (1 + floor(random() * 50))::numeric AS q
          FROM orders, LATERAL generate_series(1, 1 + o_orderkey % 7) n WHERE o_orderkey BETWEEN first_order AND last_order OFFSET 0) o
    JOIN partsupp ON ps_partkey = p AND ps_suppkey = 1 + (p * 3 + s * 25) % 100
$$;
INSERT INTO lineitem SELECT * FROM new_lines(1, 3000);
CREATE INDEX ON lineitem (l_partkey, l_suppkey);
CREATE INDEX ON orders (o_custkey);
UPDATE orders SET o_totalprice = (SELECT coalesce(sum(l_extendedprice), 0) FROM lineitem WHERE l_orderkey = o_orderkey);
ANALYZE;
