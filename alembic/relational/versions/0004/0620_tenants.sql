-- What members see of their own organization, the platform's of all, lenders of what is reported; what members may
-- write (relational-schema 9.2 with the changes of REL-108 that have no block of their own). Rights add up.

grant select, insert, update on public.organizations to authenticated;
create policy "select by own organization" on public.organizations for select to authenticated
    using (id = (select public.rls_get_member_org_id()));
create policy "select by platform" on public.organizations for select to authenticated
    using (id >= (select case when public.rls_check_if_nxt_member() then 0 else null end)
        and id <= (select case when public.rls_check_if_nxt_member() then 9223372036854775807 else null end));
create policy "insert by platform" on public.organizations for insert to authenticated
    with check ((select public.rls_check_if_nxt_member()));
create policy "update by platform" on public.organizations for update to authenticated
    using ((select public.rls_check_if_nxt_member()))
    with check ((select public.rls_check_if_nxt_member()));

grant select on public.members to authenticated;
create policy "select by own organization" on public.members for select to authenticated
    using (rls_organization_id = (select public.rls_get_member_org_id()));
create policy "select by platform" on public.members for select to authenticated
    using (id >= (select case when public.rls_check_if_nxt_member() then 0 else null end)
        and id <= (select case when public.rls_check_if_nxt_member() then 9223372036854775807 else null end));

grant select on public.agents to authenticated;
create policy "select by own organization" on public.agents for select to authenticated
    using (rls_organization_id = (select public.rls_get_member_org_id()));
create policy "select by platform" on public.agents for select to authenticated
    using (id >= (select case when public.rls_check_if_nxt_member() then 0 else null end)
        and id <= (select case when public.rls_check_if_nxt_member() then 9223372036854775807 else null end));

grant select on public.customers to authenticated;
create policy "select by own organization" on public.customers for select to authenticated
    using (rls_organization_id = (select public.rls_get_member_org_id()));
create policy "select by platform" on public.customers for select to authenticated
    using (id >= (select case when public.rls_check_if_nxt_member() then 0 else null end)
        and id <= (select case when public.rls_check_if_nxt_member() then 9223372036854775807 else null end));
create policy "select by lender" on public.customers for select to authenticated
    using (id >= (select case when public.rls_check_if_lender() then 0 else null end)
        and id <= (select case when public.rls_check_if_lender() then 9223372036854775807 else null end)
        and not is_hidden_from_reporting
        and grid_id <> all ((select internal.hidden_grid_ids())::integer[]));

grant select, insert, update on public.notes to authenticated;
create policy "select by own organization" on public.notes for select to authenticated
    using (rls_organization_id = (select public.rls_get_member_org_id()));
create policy "insert by own organization" on public.notes for insert to authenticated
    with check (rls_organization_id = (select public.rls_get_member_org_id()));
create policy "select by platform" on public.notes for select to authenticated
    using (id >= (select case when public.rls_check_if_nxt_member() then 0 else null end)
        and id <= (select case when public.rls_check_if_nxt_member() then 9223372036854775807 else null end));
create policy "insert by platform" on public.notes for insert to authenticated
    with check ((select public.rls_check_if_nxt_member()));
create policy "update by own organization" on public.notes for update to authenticated
    using (rls_organization_id = (select public.rls_get_member_org_id())
        and author_id = (select internal.caller_account_id()))
    with check (rls_organization_id = (select public.rls_get_member_org_id())
        and author_id = (select internal.caller_account_id()));
create policy "update by platform" on public.notes for update to authenticated
    using ((select public.rls_check_if_nxt_member())
        and author_id = (select internal.caller_account_id()))
    with check ((select public.rls_check_if_nxt_member())
        and author_id = (select internal.caller_account_id()));

grant select, insert, update on public.grids to authenticated;
create policy "select by own organization" on public.grids for select to authenticated
    using (organization_id = (select public.rls_get_member_org_id()));
create policy "select by platform" on public.grids for select to authenticated
    using (id >= (select case when public.rls_check_if_nxt_member() then 0 else null end)
        and id <= (select case when public.rls_check_if_nxt_member() then 9223372036854775807 else null end));
create policy "insert by platform" on public.grids for insert to authenticated
    with check ((select public.rls_check_if_nxt_member()));
create policy "update by platform" on public.grids for update to authenticated
    using ((select public.rls_check_if_nxt_member()))
    with check ((select public.rls_check_if_nxt_member()));
create policy "select by lender" on public.grids for select to authenticated
    using (id >= (select case when public.rls_check_if_lender() then 0 else null end)
        and id <= (select case when public.rls_check_if_lender() then 9223372036854775807 else null end)
        and not is_hidden_from_reporting);

grant select, insert on public.poles to authenticated;
create policy "select by own organization" on public.poles for select to authenticated
    using (rls_organization_id = (select public.rls_get_member_org_id()));
create policy "insert by own organization" on public.poles for insert to authenticated
    with check (rls_organization_id = (select public.rls_get_member_org_id()));
create policy "select by platform" on public.poles for select to authenticated
    using (id >= (select case when public.rls_check_if_nxt_member() then 0 else null end)
        and id <= (select case when public.rls_check_if_nxt_member() then 9223372036854775807 else null end));
create policy "insert by platform" on public.poles for insert to authenticated
    with check ((select public.rls_check_if_nxt_member()));

grant select on public.dcus to authenticated;
create policy "select by own organization" on public.dcus for select to authenticated
    using (rls_organization_id = (select public.rls_get_member_org_id()));
create policy "select by platform" on public.dcus for select to authenticated
    using (id >= (select case when public.rls_check_if_nxt_member() then 0 else null end)
        and id <= (select case when public.rls_check_if_nxt_member() then 9223372036854775807 else null end));

grant select on public.mppts to authenticated;
create policy "select by own organization" on public.mppts for select to authenticated
    using (rls_organization_id = (select public.rls_get_member_org_id()));
create policy "select by platform" on public.mppts for select to authenticated
    using (id >= (select case when public.rls_check_if_nxt_member() then 0 else null end)
        and id <= (select case when public.rls_check_if_nxt_member() then 9223372036854775807 else null end));

grant select, insert, update on public.device_types to authenticated;
create policy "select by member" on public.device_types for select to authenticated
    using ((select public.rls_get_member_org_id()) is not null);
create policy "insert by platform" on public.device_types for insert to authenticated
    with check ((select public.rls_check_if_nxt_member()));
create policy "update by platform" on public.device_types for update to authenticated
    using ((select public.rls_check_if_nxt_member()))
    with check ((select public.rls_check_if_nxt_member()));

grant select on public.devices to authenticated;
create policy "select by own organization" on public.devices for select to authenticated
    using (rls_organization_id = (select public.rls_get_member_org_id()));
create policy "select by platform" on public.devices for select to authenticated
    using (id >= (select case when public.rls_check_if_nxt_member() then 0 else null end)
        and id <= (select case when public.rls_check_if_nxt_member() then 9223372036854775807 else null end));

grant select, insert, update (created_at, customer_id, deleted_at, document_id, document_type, external_system, id,
is_building_wired, is_commercial, is_lifeline, is_public, is_residential, is_using_led_bulbs, rls_organization_id,
upload_uuid, women_impacted), delete on public.connections to authenticated;
create policy "select by own organization" on public.connections for select to authenticated
    using (rls_organization_id = (select public.rls_get_member_org_id()));
create policy "select by platform" on public.connections for select to authenticated
    using (id >= (select case when public.rls_check_if_nxt_member() then 0 else null end)
        and id <= (select case when public.rls_check_if_nxt_member() then 9223372036854775807 else null end));
create policy "delete by platform" on public.connections for delete to authenticated
    using ((select public.rls_check_if_nxt_member()));
create policy "insert by platform" on public.connections for insert to authenticated
    with check ((select public.rls_check_if_nxt_member())
        and paid = 0);
create policy "update by platform" on public.connections for update to authenticated
    using ((select public.rls_check_if_nxt_member()))
    with check ((select public.rls_check_if_nxt_member()));

grant select on public.connection_requested_meters to authenticated;
create policy "select by own organization" on public.connection_requested_meters for select to authenticated
    using (rls_organization_id = (select public.rls_get_member_org_id()));
create policy "select by platform" on public.connection_requested_meters for select to authenticated
    using (id >= (select case when public.rls_check_if_nxt_member() then 0 else null end)
        and id <= (select case when public.rls_check_if_nxt_member() then 9223372036854775807 else null end));

grant select, insert, update on public.meters to authenticated;
create policy "select by own organization" on public.meters for select to authenticated
    using (rls_organization_id = (select public.rls_get_member_org_id()));
create policy "select by platform" on public.meters for select to authenticated
    using (id >= (select case when public.rls_check_if_nxt_member() then 0 else null end)
        and id <= (select case when public.rls_check_if_nxt_member() then 9223372036854775807 else null end));
create policy "insert by platform" on public.meters for insert to authenticated
    with check ((select public.rls_check_if_nxt_member()));
create policy "update by platform" on public.meters for update to authenticated
    using ((select public.rls_check_if_nxt_member()))
    with check ((select public.rls_check_if_nxt_member()));
create policy "select by member" on public.meters for select to authenticated
    using ((select public.rls_get_member_org_id()) is not null
        and connection_id is null);

grant select on public.meter_shadows to authenticated;
create policy "select by own organization" on public.meter_shadows for select to authenticated
    using (rls_organization_id = (select public.rls_get_member_org_id()));
create policy "select by platform" on public.meter_shadows for select to authenticated
    using (meter_id >= (select case when public.rls_check_if_nxt_member() then 0 else null end)
        and meter_id <= (select case when public.rls_check_if_nxt_member() then 9223372036854775807 else null end));

grant select on public.meter_state_events to authenticated;
create policy "select by own organization" on public.meter_state_events for select to authenticated
    using (rls_organization_id = (select public.rls_get_member_org_id()));
create policy "select by platform" on public.meter_state_events for select to authenticated
    using (id >= (select case when public.rls_check_if_nxt_member() then 0 else null end)
        and id <= (select case when public.rls_check_if_nxt_member() then 9223372036854775807 else null end));

grant select on public.metering_hardware_install_sessions to authenticated;
create policy "select by own organization" on public.metering_hardware_install_sessions for select to authenticated
    using (rls_organization_id = (select public.rls_get_member_org_id()));
create policy "select by platform" on public.metering_hardware_install_sessions for select to authenticated
    using (id >= (select case when public.rls_check_if_nxt_member() then 0 else null end)
        and id <= (select case when public.rls_check_if_nxt_member() then 9223372036854775807 else null end));

grant select on public.metering_hardware_imports to authenticated;
create policy "select by own organization" on public.metering_hardware_imports for select to authenticated
    using (rls_organization_id = (select public.rls_get_member_org_id()));
create policy "select by platform" on public.metering_hardware_imports for select to authenticated
    using (id >= (select case when public.rls_check_if_nxt_member() then 0 else null end)
        and id <= (select case when public.rls_check_if_nxt_member() then 9223372036854775807 else null end));

grant select on public.meter_commissionings to authenticated;
create policy "select by own organization" on public.meter_commissionings for select to authenticated
    using (rls_organization_id = (select public.rls_get_member_org_id()));
create policy "select by platform" on public.meter_commissionings for select to authenticated
    using (id >= (select case when public.rls_check_if_nxt_member() then 0 else null end)
        and id <= (select case when public.rls_check_if_nxt_member() then 9223372036854775807 else null end));

grant select on public.issues to authenticated;
create policy "select by own organization" on public.issues for select to authenticated
    using (rls_organization_id = (select public.rls_get_member_org_id()));
create policy "select by platform" on public.issues for select to authenticated
    using (id >= (select case when public.rls_check_if_nxt_member() then 0 else null end)
        and id <= (select case when public.rls_check_if_nxt_member() then 9223372036854775807 else null end));

grant select on public.directive_batches to authenticated;
create policy "select by own organization" on public.directive_batches for select to authenticated
    using (rls_organization_id = (select public.rls_get_member_org_id()));
create policy "select by platform" on public.directive_batches for select to authenticated
    using (id >= (select case when public.rls_check_if_nxt_member() then 0 else null end)
        and id <= (select case when public.rls_check_if_nxt_member() then 9223372036854775807 else null end));

grant select on public.directive_batch_executions to authenticated;
create policy "select by own organization" on public.directive_batch_executions for select to authenticated
    using (rls_organization_id = (select public.rls_get_member_org_id()));
create policy "select by platform" on public.directive_batch_executions for select to authenticated
    using (id >= (select case when public.rls_check_if_nxt_member() then 0 else null end)
        and id <= (select case when public.rls_check_if_nxt_member() then 9223372036854775807 else null end));

grant select, insert on public.wallets to authenticated;
create policy "select by own organization" on public.wallets for select to authenticated
    using (rls_organization_id = (select public.rls_get_member_org_id()));
create policy "select by platform" on public.wallets for select to authenticated
    using (id >= (select case when public.rls_check_if_nxt_member() then 0 else null end)
        and id <= (select case when public.rls_check_if_nxt_member() then 9223372036854775807 else null end));
create policy "insert by platform" on public.wallets for insert to authenticated
    with check ((select public.rls_check_if_nxt_member())
        and balance = 0
        and identifier is null);

grant select on public.transactions to authenticated;
create policy "select by own organization" on public.transactions for select to authenticated
    using (rls_organization_id = (select public.rls_get_member_org_id()));
create policy "select by platform" on public.transactions for select to authenticated
    using (id >= (select case when public.rls_check_if_nxt_member() then 0 else null end)
        and id <= (select case when public.rls_check_if_nxt_member() then 9223372036854775807 else null end));

grant select on public.payouts to authenticated;
create policy "select by platform" on public.payouts for select to authenticated
    using (id >= (select case when public.rls_check_if_nxt_member() then 0 else null end)
        and id <= (select case when public.rls_check_if_nxt_member() then 9223372036854775807 else null end));
