#!/bin/sh
# Runs once, when the database server starts on an empty volume: the login of the roles, and a database for each plane.
#
# The roles log in as `nxt` and act as `nxt_app`, which has no right to write the ledger. Migrations of the relational
# plane run as the server's owner; the series belong to `nxt`.
set -eu

psql --no-psqlrc --set=ON_ERROR_STOP=1 --set=password="$NXT_DB_PASSWORD" --username "${POSTGRES_USER:-postgres}" --dbname postgres <<'SQL'
create role nxt_app nologin;
create role nxt login password :'password' in role nxt_app;
create database nxt template template0 encoding 'UTF8';
create database nxt_series owner nxt template template0 encoding 'UTF8';
revoke connect on database nxt, nxt_series from public;
grant connect on database nxt, nxt_series to nxt;
SQL

psql --no-psqlrc --set=ON_ERROR_STOP=1 --username "${POSTGRES_USER:-postgres}" --dbname nxt_series <<'SQL'
select exists (select from pg_available_extensions where name = 'timescaledb') as is_found \gset
\if :is_found
create extension if not exists timescaledb;
\endif
SQL
