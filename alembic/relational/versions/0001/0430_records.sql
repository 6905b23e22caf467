-- Time stamps, order states, write-only secrets and known zones [REL-12, REL-80, REL-141, REL-137].

create function internal.touch_updated_at() returns trigger
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
    new.updated_at := now();
    return new;
end
$$;

create trigger touch_updated_at before update on public.orders
    for each row when (new.updated_at is not distinct from old.updated_at)
    execute function internal.touch_updated_at();
create trigger touch_updated_at before update on public.meter_interactions
    for each row when (new.updated_at is not distinct from old.updated_at)
    execute function internal.touch_updated_at();
create trigger touch_updated_at before update on public.directive_batches
    for each row when (new.updated_at is not distinct from old.updated_at)
    execute function internal.touch_updated_at();
create trigger touch_updated_at before update on public.metering_hardware_imports
    for each row when (new.updated_at is not distinct from old.updated_at)
    execute function internal.touch_updated_at();
create trigger touch_updated_at before update on internal.organization_payment_credentials
    for each row when (new.updated_at is not distinct from old.updated_at)
    execute function internal.touch_updated_at();
create trigger touch_updated_at before update on internal.meter_secrets
    for each row when (new.updated_at is not distinct from old.updated_at)
    execute function internal.touch_updated_at();

-- The state machine of orders [PAY-44, REL-79]; T4 leaves FAILED only where the gateway caused it [PAY-45].
create function internal.check_order_transition() returns trigger
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    allowed boolean;
begin
    if tg_op = 'INSERT' then
        allowed := new.order_status in ('INITIALISED', 'PENDING');
    else
        allowed := case old.order_status
            when 'INITIALISED' then new.order_status in ('PENDING', 'FAILED', 'CANCELLED', 'TIMED_OUT', 'IGNORED')
            when 'TIMED_OUT' then new.order_status in ('PENDING', 'FAILED', 'IGNORED')
            when 'CANCELLED' then new.order_status in ('PENDING', 'FAILED', 'IGNORED')
            when 'PENDING' then new.order_status in ('COMPLETED', 'FAILED')
            when 'FAILED' then new.order_status = 'IGNORED' or (
                new.order_status = 'PENDING' and old.failure_code in ('GATEWAY_REJECTED', 'CHARGE_NOT_CREATED')
            )
        end;
    end if;
    if allowed is not true then
        raise exception 'order % can not go from % to %', new.id,
            case when tg_op = 'INSERT' then 'nothing' else old.order_status::text end, new.order_status
            using errcode = 'NX010';
    end if;
    return new;
end
$$;

create trigger check_order_transition_on_insert before insert on public.orders
    for each row when (new.order_status not in ('INITIALISED', 'PENDING'))
    execute function internal.check_order_transition();
create trigger check_order_transition before update of order_status on public.orders
    for each row when (new.order_status <> old.order_status) execute function internal.check_order_transition();

-- The merchant of an order is an organization, though no foreign key says so [REL-115, REL-144].
create function internal.check_routing_organization() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    if not exists (select from public.organizations o where o.id = new.routing_organization_id) then
        raise exception 'orders.routing_organization_id % is no organization', new.routing_organization_id
            using errcode = 'foreign_key_violation';
    end if;
    return new;
end
$$;

create trigger check_routing_organization before insert or update of routing_organization_id on public.orders
    for each row when (new.routing_organization_id is not null)
    execute function internal.check_routing_organization();

-- Write-only columns: a value goes to the inbox, from which the jobs role encrypts it; an empty text asks for the
-- deletion of the secret; null changes nothing [REL-141, R15].
create function internal.take_secrets() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    if tg_table_name = 'meters' then
        insert into internal.secret_inbox (purpose, owner_type, owner_id, plaintext)
        values ('METER_DECODER_KEY', 'meter', new.id, new.decoder_key);
        new.decoder_key := null;
        return new;
    end if;
    if new.epicollect_contract_survey_secret is not null then
        insert into internal.secret_inbox (purpose, owner_type, owner_id, plaintext)
        values ('SURVEY_CLIENT_SECRET', 'organization', new.id, new.epicollect_contract_survey_secret);
        new.epicollect_contract_survey_secret := null;
    end if;
    if new.epicollect_contract_survey_client_id is not null then
        insert into internal.secret_inbox (purpose, owner_type, owner_id, plaintext)
        values ('SURVEY_CLIENT_ID', 'organization', new.id, new.epicollect_contract_survey_client_id);
        new.epicollect_contract_survey_client_id := null;
    end if;
    return new;
end
$$;

create trigger take_secrets before insert or update of decoder_key on public.meters
    for each row when (new.decoder_key is not null) execute function internal.take_secrets();
create trigger take_secrets before insert or update of
    epicollect_contract_survey_secret, epicollect_contract_survey_client_id on public.organizations
    for each row when (
        new.epicollect_contract_survey_secret is not null or new.epicollect_contract_survey_client_id is not null
    ) execute function internal.take_secrets();

create function internal.check_timezone() returns trigger
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
    if not exists (select from pg_timezone_names where name = new.timezone) then
        raise exception 'grids.timezone % is not a known zone', new.timezone using errcode = 'check_violation';
    end if;
    return new;
end
$$;

create trigger check_timezone before insert or update of timezone on public.grids
    for each row when (new.timezone <> 'Africa/Lagos') execute function internal.check_timezone();
