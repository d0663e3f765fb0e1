-- Sent first: what is at the other end, whom it takes us for, and whether a backslash in its strings means itself.
SELECT pg_catalog.version() AS version, pg_catalog.current_setting('server_version_num') AS number,
       pg_catalog.current_setting('standard_conforming_strings') AS conforming, CURRENT_USER AS role;
