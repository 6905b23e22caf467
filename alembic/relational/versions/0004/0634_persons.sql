-- Agents and customers see what is their own, and nothing else [API-210 f, REL-107].

create policy "select by person" on public.accounts for select to authenticated
    using (id = (select internal.caller_account_id()));

create policy "select by person" on public.agents for select to authenticated
    using (account_id = (select internal.caller_account_id()));

create policy "select by person" on public.customers for select to authenticated
    using (account_id = (select internal.caller_account_id()));

create policy "select by person" on public.connections for select to authenticated
    using (id = any ((select internal.caller_connection_ids())::integer[]));

create policy "select by person" on public.meters for select to authenticated
    using (id = any ((select internal.caller_meter_ids())::integer[]));

create policy "select by person" on public.meter_interactions for select to authenticated
    using (meter_id = any ((select internal.caller_meter_ids())::integer[]));

create policy "select by person as customer" on public.wallets for select to authenticated
    using (customer_id = (select internal.caller_customer_id()));
create policy "select by person as agent" on public.wallets for select to authenticated
    using (agent_id = (select internal.caller_agent_id()));

create policy "select by person as author" on public.orders for select to authenticated
    using (author_id = (select internal.caller_account_id()));
create policy "select by person as sender" on public.orders for select to authenticated
    using (sender_wallet_id = any ((select internal.caller_wallet_ids())::integer[]));
create policy "select by person as receiver" on public.orders for select to authenticated
    using (receiver_wallet_id = any ((select internal.caller_wallet_ids())::integer[]));
create policy "select by person as receiver of energy" on public.orders for select to authenticated
    using (receiver_wallet_id = any ((select internal.caller_supply_wallet_ids())::integer[])
        and coalesce(meta_receiver_id_part_2, (select internal.caller_customer_id())) = (select internal.caller_customer_id()));

grant select on public.my_grid to authenticated;
