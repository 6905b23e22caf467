-- Functions that dashboards call, with the caller's rights: row security decides what they see [REL-92 to REL-94].

create function public.get_grid_status(grid_id integer) returns table (
    is_hps_on boolean, is_fs_on boolean, are_all_dcus_online boolean, are_all_dcus_under_high_load_threshold boolean,
    is_cabin_meter_credit_depleting boolean, customer_count integer
)
language sql stable set search_path = pg_catalog, pg_temp as $$
    select g.is_hps_on, g.is_fs_on, g.are_all_dcus_online, g.are_all_dcus_under_high_load_threshold,
        g.is_cabin_meter_credit_depleting, (
            select count(*)::integer from public.customers c join public.accounts a on a.id = c.account_id
            where c.grid_id = g.id and not c.is_hidden_from_reporting and a.deleted_at is null and exists (
                select from public.connections n join public.meters m on m.connection_id = n.id
                where n.customer_id = c.id
            )
        )
    from public.grids g where g.id = get_grid_status.grid_id
$$;

-- Energy sold and not taken back, of a grid and a half-open period; an order that doesn't say is hidden from reports.
create function public.find_energy_topup_revenue(
    grid_id integer, start_date timestamptz, end_date timestamptz
) returns numeric
language sql stable set search_path = pg_catalog, pg_temp as $$
    select coalesce(sum(o.amount), 0) from public.orders o
    where o.historical_grid_id = grid_id and o.created_at >= start_date and o.created_at < end_date
        and o.meta_order_type = 'ENERGY_TOPUP' and o.order_status = 'COMPLETED'
        and o.meta_is_hidden_from_reporting = false and o.reversed_at is null
$$;

-- The same orders by customer, under the name that the newest of them carries.
create function public.find_top_spenders(
    grid_id integer, limit_count integer, start_date timestamptz, end_date timestamptz
) returns table (full_name varchar, id integer, amount numeric)
language sql stable set search_path = pg_catalog, pg_temp as $$
    select (array_agg(o.meta_receiver_name_part_2 order by o.id desc))[1], o.meta_receiver_id_part_2, sum(o.amount)
    from public.orders o
    where o.historical_grid_id = grid_id and o.created_at >= start_date and o.created_at < end_date
        and o.meta_order_type = 'ENERGY_TOPUP' and o.order_status = 'COMPLETED'
        and o.meta_is_hidden_from_reporting = false and o.reversed_at is null
        and o.meta_receiver_id_part_2 is not null
    group by o.meta_receiver_id_part_2
    order by sum(o.amount) desc, o.meta_receiver_id_part_2
    limit limit_count
$$;
