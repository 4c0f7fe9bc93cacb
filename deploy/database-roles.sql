-- Run once, by the database's container, when its folder is empty: two roles (docs/operate/postgresql.md).
-- The tables belong to the first; the second is the service's, and may not change what is only ever added.
\set ON_ERROR_STOP on
\set owner_password `cat /run/secrets/database-owner-password`
\set service_password `cat /run/secrets/database-service-password`
CREATE ROLE privacy_owner LOGIN PASSWORD :'owner_password';
CREATE ROLE privacy_service LOGIN PASSWORD :'service_password';
CREATE DATABASE privacy OWNER privacy_owner ENCODING 'UTF8' TEMPLATE template0;
REVOKE ALL ON DATABASE privacy FROM PUBLIC;
GRANT CONNECT ON DATABASE privacy TO privacy_service;
