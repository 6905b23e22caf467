-- What the automation platform hears of a grid, whoever writes the row: one outbox task for each changed column whose
-- switch is on in the new row [REL-103, API-213, AUTO-43]. Tasks of one grid are a stream, dropped after a day.

create function internal.tell_grid_changes() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    insert into internal.outbox_tasks
        (kind, dedupe_key, stream_key, grid_id, organization_id, payload, give_up_at)
    select
        'GRID_STATE', format('grid:%s:%s:%s', new.id, c.name, gen_random_uuid()), format('grid:%s', new.id),
        new.id, new.organization_id,
        jsonb_build_object(
            'grid_id', new.id, 'grid_name', new.name, c.name, c.value,
            'updated_at', to_char(now() at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')
        ),
        now() + interval '24 hours'
    from (values
        ('is_hps_on', to_jsonb(old.is_hps_on), to_jsonb(new.is_hps_on), new.is_energised_notification_enabled),
        ('is_fs_on', to_jsonb(old.is_fs_on), to_jsonb(new.is_fs_on), new.is_fs_on_notification_enabled),
        (
            'kwh_tariff_essential_service', to_jsonb(old.kwh_tariff_essential_service),
            to_jsonb(new.kwh_tariff_essential_service), new.is_tariff_change_notification_enabled
        )
    ) as c (name, before, value, is_told)
    where c.is_told and c.value is distinct from c.before;
    return null;
end
$$;

revoke execute on function internal.tell_grid_changes() from public;

create trigger tell_grid_changes after update on public.grids
    for each row when (
        (new.is_energised_notification_enabled and new.is_hps_on <> old.is_hps_on)
        or (new.is_fs_on_notification_enabled and new.is_fs_on <> old.is_fs_on)
        or (
            new.is_tariff_change_notification_enabled
            and new.kwh_tariff_essential_service <> old.kwh_tariff_essential_service
        )
    ) execute function internal.tell_grid_changes();
