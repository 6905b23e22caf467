-- The two ids that carry meaning [REL-10]; seeding writes them from the configuration. Without the row nobody is staff
-- of the platform.

create table internal.deployment (
    is_only boolean primary key default true,
    platform_organization_id integer not null
        references public.organizations (id),
    banking_system_wallet_id integer not null
        references public.wallets (id),
    updated_at timestamptz not null default now(),
    constraint ck_deployment_is_only check (
        is_only
    )
);

create trigger touch_updated_at before update on internal.deployment
    for each row when (new.updated_at is not distinct from old.updated_at)
    execute function internal.touch_updated_at();

grant select, insert, update, delete on internal.deployment to nxt_app;
