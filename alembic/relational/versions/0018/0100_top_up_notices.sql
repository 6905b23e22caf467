-- What the chat bot hears of an order's top-up, whoever writes the row: PENDING once there is a token, then how it ended
-- [PAY-119, AUTO-109, AUTO-110]. Notices of one order are a stream, dropped after a day; tokens stay where they are
-- [REL-142]. Grids without a chat flow cost a look at their row, and commands that no order paid for nothing at all.

create function internal.tell_top_up() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    insert into internal.outbox_tasks
        (kind, dedupe_key, stream_key, order_id, grid_id, organization_id, payload, give_up_at)
    select
        'BOT_NOTICE', format('order:%s:bot:%s', new.order_id, s.status), format('order:%s:bot', new.order_id),
        new.order_id, g.id, g.organization_id,
        jsonb_build_object('interaction_id', new.id, 'status', s.status), now() + interval '24 hours'
    from public.meters m
    join public.grids g on g.id = m.rls_grid_id and g.telegram_response_path_token <> ''
    cross join lateral (values
        (1, 'PENDING', new.token is not null),
        (2, new.meter_interaction_status::text, new.meter_interaction_status in ('SUCCESSFUL', 'FAILED'))
    ) as s (place, status, is_due)
    where m.id = new.meter_id and s.is_due
    order by s.place
    on conflict (dedupe_key) do nothing;
    return null;
end
$$;

revoke execute on function internal.tell_top_up() from public;

create trigger tell_new_top_up after insert on public.meter_interactions
    for each row when (
        new.order_id is not null
        and (new.token is not null or new.meter_interaction_status in ('SUCCESSFUL', 'FAILED'))
    ) execute function internal.tell_top_up();

create trigger tell_changed_top_up after update of token, meter_interaction_status on public.meter_interactions
    for each row when (
        new.order_id is not null
        and (
            (old.token is null and new.token is not null)
            or (
                new.meter_interaction_status <> old.meter_interaction_status
                and new.meter_interaction_status in ('SUCCESSFUL', 'FAILED')
            )
        )
    ) execute function internal.tell_top_up();
