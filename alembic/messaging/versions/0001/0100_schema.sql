create schema if not exists messaging;
