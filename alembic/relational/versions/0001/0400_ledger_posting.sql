-- The only way into the ledger [PAY-32, PAY-33, REL-147, R3, R51].
--
-- internal.post_entries(entries jsonb) -> (ordinal, entry_id, created), one row per element, in order.
--
-- An element: {"key", "entry_type", "order_id"?, "payout_id"?, "meter_credit_transfer_id"?, "reverses_entry_id"?,
--   "author_account_id"?, "memo"?, "effective_at"?,
--   "postings": [{"account_id" or "account_code", "amount": "<decimal string, at most 4 decimals>"}, ...]}
--
-- All or nothing: any refusal raises and the caller's statement is undone; callers repeat one by one [R3].
--   NX001 INSUFFICIENT_BALANCE    an account would end an entry below its floor
--   NX002 LEDGER_KEY_CONFLICT     the key is known with other postings [R51]
--   NX003 LEDGER_UNBALANCED       fewer than two postings, or a sum that is not zero
--   NX004 LEDGER_ACCOUNT_UNKNOWN  no such account, or it is closed
--   NX005 LEDGER_ENTRY_MALFORMED  no key, no amount, zero, or more than four decimals
-- DETAIL of each is a JSON object with "ordinal" and "key", NX001 also with "account_id", "account_code",
-- "balance" (before the entry) and "min_balance".
--
-- Accounts that are not hot are locked in ascending id until the transaction ends; hot ones are never locked, keep
-- no running balance, and leave their amounts in internal.ledger_hot_deltas [R24].
--
-- Everything works on arrays of the whole batch, one element for each entry (e_, o_) or posting (p_, n_). Joins reach
-- tables by their indexes only: plans are cached, often while the tables are still empty. Arrays are therefore not
-- joined with each other (that would take the square of the batch), they are subscripted.

create function internal.post_entries(entries jsonb)
returns table (ordinal integer, entry_id bigint, created boolean)
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
set enable_seqscan = off
set enable_hashjoin = off
set enable_mergejoin = off
as $$
#variable_conflict use_column
declare
    e_key text[];
    e_id bigint[];
    known integer[];
    o_entry bigint[];
    p_ordinal integer[];
    p_account bigint[];
    p_code text[];
    p_amount numeric[];
    n_posting bigint[];
    n_entry bigint[];
    n_account bigint[];
    n_amount numeric[];
    n_after numeric[];
    fresh bigint[];
    bad record;
begin
    select coalesce(array_agg(e.key order by e.n), '{}') into e_key
    from rows from (jsonb_to_recordset(entries) as (key text)) with ordinality as e (key, n);

    select coalesce(array_agg(e.n::integer order by e.n, p.n), '{}'),
        coalesce(array_agg(p.account_id order by e.n, p.n), '{}'),
        coalesce(array_agg(p.account_code order by e.n, p.n), '{}'),
        coalesce(array_agg(p.amount order by e.n, p.n), '{}')
    into p_ordinal, p_account, p_code, p_amount
    from rows from (jsonb_to_recordset(entries) as (postings jsonb)) with ordinality as e (postings, n)
    cross join lateral rows from (
        jsonb_to_recordset(coalesce(e.postings, '[]')) as (account_id bigint, account_code text, amount numeric)
    ) with ordinality as p (account_id, account_code, amount, n);

    select coalesce(array_agg(coalesce(p.account_id, a.id) order by p.n), '{}') into p_account
    from unnest(p_account, p_code) with ordinality as p (account_id, code, n)
    left join internal.ledger_accounts a on a.code = p.code and p.account_id is null;

    select coalesce(
        (select min(k.n)::integer from unnest(e_key) with ordinality as k (key, n) where coalesce(k.key, '') = ''),
        (
            select min(p.ordinal) from unnest(p_ordinal, p_amount) as p (ordinal, amount)
            where p.amount is null or p.amount = 0 or p.amount = 'NaN' or p.amount <> round(p.amount, 4)
        )
    ) as ordinal into bad;
    if bad.ordinal is not null then
        raise exception 'LEDGER_ENTRY_MALFORMED' using errcode = 'NX005',
            detail = json_build_object('ordinal', bad.ordinal, 'key', e_key[bad.ordinal]);
    end if;

    -- A hot account is read here and never locked.
    select p.ordinal, p.account_id, p.code into bad
    from unnest(p_ordinal, p_account, p_code) with ordinality as p (ordinal, account_id, code, n)
    left join internal.ledger_accounts a on a.id = p.account_id
    where a.id is null or not a.is_open
    order by p.n limit 1;
    if found then
        raise exception 'LEDGER_ACCOUNT_UNKNOWN' using errcode = 'NX004', detail = json_build_object(
            'ordinal', bad.ordinal, 'key', e_key[bad.ordinal], 'account_id', bad.account_id, 'account_code', bad.code
        );
    end if;

    select s.ordinal into bad
    from (
        select p.ordinal, sum(p.amount) as total, count(*) as postings
        from unnest(p_ordinal, p_account, p_amount) as p (ordinal, account_id, amount)
        join internal.ledger_accounts a on a.id = p.account_id
        group by p.ordinal, a.currency
        union all
        select n::integer, 0, 0 from unnest(e_key) with ordinality as k (key, n)
    ) s
    group by s.ordinal
    having sum(s.postings) < 2 or bool_or(s.total <> 0)
    order by s.ordinal limit 1;
    if found then
        raise exception 'LEDGER_UNBALANCED' using errcode = 'NX003',
            detail = json_build_object('ordinal', bad.ordinal, 'key', e_key[bad.ordinal]);
    end if;

    known := array(
        select k.n::integer from unnest(e_key) with ordinality as k (key, n)
        join internal.ledger_entries e on e.idempotency_key = k.key
    );

    perform from internal.ledger_accounts a
    where not a.is_hot and a.id = any (array(
        select distinct p.account_id from unnest(p_ordinal, p_account) as p (ordinal, account_id)
        where p.ordinal <> all (known)
    ))
    order by a.id
    for update;

    -- Sorted by key, so that two batches with the same keys wait for each other and never cross. Of several elements
    -- with one key the first is booked; the others are repeats of it.
    e_id := array(
        select nextval('internal.ledger_entries_id_seq') from generate_series(1, cardinality(e_key))
    );
    with booked as (
        insert into internal.ledger_entries (
            id, idempotency_key, entry_type, order_id, payout_id, meter_credit_transfer_id, reverses_entry_id,
            author_account_id, memo, effective_at
        )
        select e_id[e.n], e.key, e.entry_type, e.order_id, e.payout_id, e.meter_credit_transfer_id,
            e.reverses_entry_id, e.author_account_id, e.memo, coalesce(e.effective_at, now())
        from rows from (jsonb_to_recordset(entries) as (
            key text, entry_type public.ledger_entry_type_enum, order_id integer, payout_id integer,
            meter_credit_transfer_id integer, reverses_entry_id bigint, author_account_id integer, memo text,
            effective_at timestamptz
        )) with ordinality as e (
            key, entry_type, order_id, payout_id, meter_credit_transfer_id, reverses_entry_id, author_account_id,
            memo, effective_at, n
        )
        where e.n <> all (known)
        order by e.key, e.n
        on conflict (idempotency_key) do nothing
        returning id
    )
    select coalesce(array_agg(id), '{}') into fresh from booked;

    -- The entry of each ordinal that was booked now, 0 for a repeat.
    if cardinality(fresh) = cardinality(e_key) then
        o_entry := e_id;
    else
        o_entry := array(
            select case when e.id = any (fresh) then e.id else 0 end
            from unnest(e_id) with ordinality as e (id, n) order by e.n
        );
    end if;

    with given as (
        select p.n, o_entry[p.ordinal] as entry_id, p.account_id, p.amount, a.is_hot, a.balance as opening
        from unnest(p_ordinal, p_account, p_amount) with ordinality as p (ordinal, account_id, amount, n)
        join internal.ledger_accounts a on a.id = p.account_id
        where o_entry[p.ordinal] <> 0
    ), running as (
        select g.*, case when not g.is_hot
            then g.opening + sum(g.amount) over (partition by g.account_id order by g.n) end as closing
        from given g
    ), posted as (
        insert into internal.ledger_postings (entry_id, account_id, amount, balance_before, balance_after)
        select r.entry_id, r.account_id, r.amount, r.closing - r.amount, r.closing from running r order by r.n
        returning id, entry_id, account_id, amount, balance_after
    )
    select coalesce(array_agg(id), '{}'), coalesce(array_agg(entry_id), '{}'), coalesce(array_agg(account_id), '{}'),
        coalesce(array_agg(amount), '{}'), coalesce(array_agg(balance_after), '{}')
    into n_posting, n_entry, n_account, n_amount, n_after
    from posted;

    -- Floors hold after each entry, not after each posting [PAY-29].
    select c.entry_id, a.id as account_id, a.code, a.min_balance, c.opening into bad
    from (
        select distinct on (p.entry_id, p.account_id) p.id, p.entry_id, p.account_id, p.closing,
            first_value(p.closing - p.amount) over (partition by p.entry_id, p.account_id order by p.id) as opening
        from unnest(n_posting, n_entry, n_account, n_amount, n_after)
            as p (id, entry_id, account_id, amount, closing)
        where p.closing is not null
        order by p.entry_id, p.account_id, p.id desc
    ) c
    join internal.ledger_accounts a on a.id = c.account_id
    where c.closing < a.min_balance
    order by c.id limit 1;
    if found then
        raise exception 'INSUFFICIENT_BALANCE' using errcode = 'NX001', detail = json_build_object(
            'ordinal', array_position(o_entry, bad.entry_id),
            'key', e_key[array_position(o_entry, bad.entry_id)],
            'account_id', bad.account_id, 'account_code', bad.code,
            'balance', bad.opening::text, 'min_balance', bad.min_balance::text
        );
    end if;

    with closing as (
        select distinct on (p.account_id) p.account_id, p.closing
        from unnest(n_posting, n_account, n_after) as p (id, account_id, closing)
        where p.closing is not null
        order by p.account_id, p.id desc
    ), settled as (
        update internal.ledger_accounts a set balance = c.closing
        from closing c where a.id = c.account_id
        returning a.wallet_id, a.account_class, a.balance
    )
    update public.wallets w set balance = s.balance, balance_updated_at = now()
    from settled s where s.account_class = 'WALLET' and w.id = s.wallet_id;

    insert into internal.ledger_hot_deltas (posting_id, account_id, amount)
    select p.id, p.account_id, p.amount
    from unnest(n_posting, n_account, n_amount, n_after) as p (id, account_id, amount, closing)
    where p.closing is null;

    if cardinality(fresh) = cardinality(e_key) then
        return query select k.n::integer, k.id, true from unnest(e_id) with ordinality as k (id, n) order by k.n;
        return;
    end if;

    select k.n::integer as ordinal into bad
    from unnest(e_key) with ordinality as k (key, n)
    join internal.ledger_entries e on e.idempotency_key = k.key
    cross join lateral (
        select array_agg(p.account_id order by p.account_id, p.amount) as accounts,
            array_agg(p.amount order by p.account_id, p.amount) as amounts
        from internal.ledger_postings p where p.entry_id = e.id
    ) stored
    cross join lateral (
        select array_agg(p.account_id order by p.account_id, p.amount) as accounts,
            array_agg(p.amount order by p.account_id, p.amount) as amounts
        from unnest(p_ordinal, p_account, p_amount) as p (ordinal, account_id, amount) where p.ordinal = k.n
    ) asked
    where o_entry[k.n] = 0
        and (stored.accounts is distinct from asked.accounts or stored.amounts is distinct from asked.amounts)
    order by k.n limit 1;
    if found then
        raise exception 'LEDGER_KEY_CONFLICT' using errcode = 'NX002',
            detail = json_build_object('ordinal', bad.ordinal, 'key', e_key[bad.ordinal]);
    end if;

    return query
    select k.n::integer, e.id, o_entry[k.n] <> 0
    from unnest(e_key) with ordinality as k (key, n)
    join internal.ledger_entries e on e.idempotency_key = k.key
    order by k.n;
end
$$;

-- The one-element form [PAY-33].
create function internal.post_entry(entry jsonb, out entry_id bigint, out created boolean)
language sql
volatile
set search_path = pg_catalog, pg_temp
as $$
    select p.entry_id, p.created from internal.post_entries(jsonb_build_array(entry)) p
$$;

-- Bring the statistics of hot accounts and of the system wallet up to date [PAY-30, R24].
-- Returns the number of postings taken up; 0 at once while another session does it.
create function internal.refresh_hot_balances() returns bigint
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    taken bigint;
begin
    if not pg_try_advisory_xact_lock(hashtextextended('internal.refresh_hot_balances', 0)) then
        return 0;
    end if;
    with gone as (
        delete from internal.ledger_hot_deltas returning account_id, amount
    ), moved as (
        select account_id, sum(amount) as amount, count(*) as postings from gone group by account_id
    ), refreshed as (
        update internal.ledger_accounts a set balance = a.balance + m.amount
        from moved m where a.id = m.account_id
    ), totals as (
        select a.wallet_id, sum(a.balance + coalesce(m.amount, 0)) as balance
        from internal.ledger_accounts a
        left join moved m on m.account_id = a.id
        where a.wallet_id in (select id from public.wallets where identifier is not null)
        group by a.wallet_id
    ), shown as (
        update public.wallets w set balance = t.balance, balance_updated_at = now()
        from totals t where w.id = t.wallet_id and w.balance is distinct from t.balance
    )
    select coalesce(sum(postings), 0) into taken from moved;
    return taken;
end
$$;
