DROP TABLE sessions;
DROP TABLE users;
DROP FUNCTION tacit_now();
