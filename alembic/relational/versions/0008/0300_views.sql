-- Views of dashboards and of the technicians' app, with the caller's rights [REL-85 to REL-90].

create view public.agents_with_account with (security_invoker = true) as
    select g.id, g.created_at, g.grid_id, g.account_id, a.full_name, a.phone, a.deleted_at
    from public.agents g join public.accounts a on a.id = g.account_id;

-- `id` is a plain column of customers: the technicians' app embeds connections by it.
create view public.customers_with_account with (security_invoker = true) as
    select c.id, c.created_at, c.gender, c.total_connection_fee, c.total_connection_paid, c.is_hidden_from_reporting,
        c.lives_primarily_in_the_community, c.latitude, c.longitude, c.generator_owned, c.grid_id, c.account_id,
        a.full_name, a.phone, a.deleted_at,
        c.total_connection_paid >= c.total_connection_fee as has_fully_paid_connection_fees,
        (
            select string_agg(m.external_reference, ', ' order by m.id)
            from public.connections n join public.meters m on m.connection_id = n.id where n.customer_id = c.id
        ) as meter
    from public.customers c join public.accounts a on a.id = c.account_id;

-- Assigned meters alone. Four columns remain for their readers and are always null.
create view public.meters_with_account_and_statuses with (security_invoker = true) as
    select m.id, m.created_at, m.external_reference, m.deleted_at, m.balance, m.balance_updated_at,
        m.kwh_credit_available, m.kwh_credit_available_updated_at, m.last_non_zero_consumption_at, m.is_on,
        m.should_be_on, m.is_on_updated_at, m.should_be_on_updated_at, m.is_manual_mode_on,
        m.is_manual_mode_on_updated_at, m.voltage, m.voltage_updated_at, m.power, m.power_updated_at, m.latitude,
        m.longitude, m.coord_accuracy, m.power_limit, m.power_limit_updated_at, m.power_limit_should_be,
        m.power_down_count, m.power_down_count_updated_at, m.power_limit_should_be_updated_at, m.is_starred,
        m.external_system, m.meter_type, m.nickname, m.last_seen_at,
        null::varchar as issue_check_execution_session, m.issue_check_last_run_at, m.pole_id, m.meter_phase,
        m.last_metering_hardware_install_session_id, m.kwh_tariff, null::varchar as watchdog_session,
        null::timestamptz(3) as watchdog_last_run_at, m.version, m.is_simulated, m.power_limit_hps_mode,
        m.current_special_status, m.communication_protocol, m.is_cabin_meter, m.last_encountered_issue_id,
        m.connection_id, m.dcu_id, null::text as decoder_key, m.last_sts_token_issued_at, m.rls_grid_id,
        m.rls_organization_id, m.is_test_mode_on, m.pulse_counter_kwh, m.device_id,
        c.grid_id, c.is_hidden_from_reporting, a.full_name, a.phone,
        -- The first rule that holds [REL-89].
        case
            when m.last_metering_hardware_install_session_id is null then 'SUCCESSFUL'
            when i.metering_hardware_import_status = 'PENDING' or k.meter_commissioning_status = 'PENDING'
                then 'PENDING'
            when i.metering_hardware_import_status = 'PROCESSING' or k.meter_commissioning_status = 'PROCESSING'
                then 'PROCESSING'
            when k.meter_commissioning_status = 'SUCCESSFUL' then 'SUCCESSFUL'
            when i.metering_hardware_import_status = 'FAILED' or k.meter_commissioning_status = 'FAILED'
                or (i.metering_hardware_import_status = 'SUCCESSFUL' and k.id is null) then 'FAILED'
        end::public.mhi_status_enum as install_status,
        case when e.issue_status = 'OPEN' then e.issue_type end as open_issue
    from public.meters m
    join public.connections n on n.id = m.connection_id
    join public.customers c on c.id = n.customer_id
    join public.accounts a on a.id = c.account_id
    left join public.metering_hardware_install_sessions s on s.id = m.last_metering_hardware_install_session_id
    left join public.metering_hardware_imports i on i.id = s.last_metering_hardware_import_id
    left join public.meter_commissionings k on k.id = s.last_meter_commissioning_id
    left join public.issues e on e.id = m.last_encountered_issue_id;
