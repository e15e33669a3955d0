-- SPDX-License-Identifier: BSD-2-Clause
-- Create, index, aggregate, change and vacuum :rows rows.
PRAGMA cache_size = -16000;
CREATE TABLE sale (id INTEGER PRIMARY KEY, shop INTEGER, name TEXT,
	price REAL, note BLOB);
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n
	WHERE i < :rows)
INSERT INTO sale SELECT i, i * 7919 % 997,
	printf('%08x name %d', i * 2654435761 % 4294967296, i),
	(i * 31 % 10007) / 8.0, zeroblob(i % 40) FROM n;
CREATE INDEX sale_shop ON sale(shop, price);
CREATE INDEX sale_name ON sale(name);
ANALYZE;
SELECT count(*), sum(price), min(name), max(name) FROM sale;
SELECT shop, count(*), avg(price), group_concat(id % 10, '')
	FROM sale WHERE id < 50000 GROUP BY shop ORDER BY shop LIMIT 40;
SELECT a.shop, count(*) FROM sale a JOIN sale b ON b.id = a.id * 2
	GROUP BY a.shop % 10 ORDER BY 1;
SELECT name FROM sale ORDER BY substr(name, 4) DESC, id LIMIT 20 OFFSET 1000;
SELECT shop, price, rank() OVER (PARTITION BY shop ORDER BY price, id)
	FROM sale WHERE shop < 3 ORDER BY shop, price, id LIMIT 60;
SELECT count(*) FROM sale WHERE name LIKE '%ff%' OR name GLOB '*99';
BEGIN;
UPDATE sale SET name = upper(name) || id WHERE id % 3 = 0;
DELETE FROM sale WHERE id % 4 = 1;
ROLLBACK;
SELECT count(*), count(DISTINCT name) FROM sale;
DELETE FROM sale WHERE id % 5 = 2;
UPDATE sale SET price = price * 2, note = zeroblob(id % 300) WHERE id % 7 = 0;
VACUUM;
PRAGMA integrity_check;
SELECT count(*), sum(price), sum(length(note)) FROM sale;
