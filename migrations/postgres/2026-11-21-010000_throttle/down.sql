DROP TABLE throttles;
DROP FUNCTION tacit_after(BIGINT);
