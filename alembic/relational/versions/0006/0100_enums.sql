-- Enumerations of the tables below, word for word [REL-78].

create type public.solcast_cache_request_type_enum as enum ('ESTIMATED_ACTUALS', 'FORECAST');
create type public.pd_action_type_enum as enum ('UPLOAD', 'TEMPLATE', 'EXTERNAL', 'START', 'END');
create type public.pd_action_status_enum as enum (
    'GENERATING', 'GENERATION_FAILED', 'GENERATION_COMPLETED', 'ACTIONABLE', 'ACTION_COMPLETED'
);
create type public.pd_document_type_enum as enum ('GOOGLE_SHEETS', 'GOOGLE_DOCS');
