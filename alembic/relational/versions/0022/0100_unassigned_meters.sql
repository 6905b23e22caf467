-- Alerts have the form that ``nxt_domain.shared.alerts`` gives them. A command is unfinished until it has ended, or while
-- it is still to be made; what was paid back concerns nobody.

create function internal.tell_taken_meter() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    insert into internal.outbox_tasks (kind, dedupe_key, payload)
    select 'ALERT', format('alert:TOP_UP_METER_UNASSIGNED:order:%s:%s', o.id,
            to_char(date_trunc('hour', now() at time zone 'UTC'), 'YYYY-MM-DD"T"HH24:MI:SS".000Z"')),
        jsonb_build_object(
            'code', 'TOP_UP_METER_UNASSIGNED',
            'subject', format('order:%s', o.id),
            'text', 'A meter was unassigned before its paid top-up was done',
            'facts', jsonb_build_object('order_id', o.id, 'meter_id', old.id, 'connection_id', old.connection_id))
    from (
        select i.order_id
        from public.meter_interactions i
        where i.meter_id = old.id
            and i.meter_interaction_status in ('QUEUED', 'SUSPENDED', 'DEFERRED', 'PROCESSING')
        union
        select t.order_id
        from internal.outbox_tasks t
        join public.orders waiting on waiting.id = t.order_id
        join public.wallets w on w.id = waiting.receiver_wallet_id
        where t.kind = 'TOP_UP_COMMAND' and t.done_at is null and t.dropped_at is null and w.meter_id = old.id
    ) unfinished
    join public.orders o on o.id = unfinished.order_id and o.reversed_at is null
    order by o.id
    on conflict (dedupe_key) do nothing;
    return null;
end
$$;

revoke execute on function internal.tell_taken_meter() from public;

create trigger tell_taken_meter after update of connection_id on public.meters
    for each row when (old.connection_id is not null and new.connection_id is distinct from old.connection_id)
    execute function internal.tell_taken_meter();
