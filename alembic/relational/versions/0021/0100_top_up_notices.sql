-- What is told is one rule, of any number of interactions; the triggers know when. New rows are told of by statement.
-- Changed ones stay row by row: most changes tell nothing, which a row's own condition finds for next to nothing, and
-- a trigger on columns can't see whole statements.

-- Tables are reached by their indexes only, by a plan that is made once in a session: often while the tables are still
-- empty, and a plan for the ids at hand costs twenty times what it saves.
create function internal.add_top_up_notices(interaction_ids bigint[]) returns void
language plpgsql
set search_path = pg_catalog, pg_temp
set enable_seqscan = off
set enable_hashjoin = off
set enable_mergejoin = off
set plan_cache_mode = force_generic_plan
as $$
begin
    insert into internal.outbox_tasks
        (kind, dedupe_key, stream_key, order_id, grid_id, organization_id, payload, give_up_at)
    select
        'BOT_NOTICE', format('order:%s:bot:%s', i.order_id, s.status), format('order:%s:bot', i.order_id),
        i.order_id, g.id, g.organization_id,
        jsonb_build_object('interaction_id', i.id, 'status', s.status), now() + interval '24 hours'
    from public.meter_interactions i
    join public.meters m on m.id = i.meter_id
    join public.grids g on g.id = m.rls_grid_id and g.telegram_response_path_token <> ''
    cross join lateral (values
        (1, 'PENDING', i.token is not null),
        (2, i.meter_interaction_status::text, i.meter_interaction_status in ('SUCCESSFUL', 'FAILED'))
    ) as s (place, status, is_due)
    where i.id = any (interaction_ids) and s.is_due
    order by i.id, s.place
    on conflict (dedupe_key) do nothing;
end
$$;

create function internal.tell_new_top_ups() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    paid bigint[] := array(select n.id from inserted n where n.order_id is not null);
begin
    if cardinality(paid) > 0 then
        perform internal.add_top_up_notices(paid);
    end if;
    return null;
end
$$;

create or replace function internal.tell_top_up() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    perform internal.add_top_up_notices(array[new.id]);
    return null;
end
$$;

revoke execute on function internal.add_top_up_notices(bigint[]), internal.tell_new_top_ups() from public;

drop trigger tell_new_top_up on public.meter_interactions;
create trigger tell_new_top_ups after insert on public.meter_interactions
    referencing new table as inserted for each statement execute function internal.tell_new_top_ups();
