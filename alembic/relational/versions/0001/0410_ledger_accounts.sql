-- Accounts of the ledger and what guards it [PAY-24 to PAY-32, R14].

-- Every wallet with an owner has its account `wallet:<id>`, with the currency appended unless it is NGN.
create function internal.open_wallet_account() returns trigger
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    insert into internal.ledger_accounts (code, account_class, currency, wallet_id, organization_id, min_balance)
    values (
        'wallet:' || new.id || case when new.currency = 'NGN' then '' else ':' || new.currency end,
        'WALLET', new.currency, new.id, new.organization_id, 0
    );
    return null;
end
$$;

-- Return the account with a code of the payments specification (5.2), opening it if need be.
-- `suffix` of other currencies: ':USD', ':EUR'. Raises NX004 for codes that the specification doesn't know, and for
-- accounts of wallets, which open with their wallet.
create function internal.ensure_ledger_account(account_code text) returns bigint
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    part text[] := regexp_match(account_code, '^(.*?)(?::(USD|EUR))?$');
    base text := part[1];
    account_currency public.currency_enum := coalesce(part[2], 'NGN');
    class public.ledger_account_class_enum;
    system_wallet integer;
    organization integer;
    grid integer;
    account bigint;
begin
    select a.id into account from internal.ledger_accounts a where a.code = account_code;
    if found then
        return account;
    end if;
    class := case
        when base ~ '^external:gateway:(platform|org:[0-9]+)$' or base in ('external:manual', 'external:disbursement')
            then 'EXTERNAL'
        when base ~ '^suspense:gateway:(platform|org:[0-9]+)$' then 'SUSPENSE'
        when base ~ '^clearing:revenue:[0-9]+$' then 'CLEARING'
        when base ~ '^payable:developer:[0-9]+$' then 'PAYABLE'
        when base in (
            'income:platform_fee', 'income:insurance', 'income:rental', 'income:gateway_fee',
            'income:payout_adjustment', 'income:rounding'
        ) then 'INCOME'
        when base = 'opening:migration' then 'EQUITY'
    end;
    if class is null then
        raise exception 'LEDGER_ACCOUNT_UNKNOWN' using errcode = 'NX004',
            detail = json_build_object('account_code', account_code);
    end if;
    if base ~ '^(external|suspense):' and base <> 'external:disbursement' then
        select w.id into strict system_wallet from public.wallets w where w.identifier = 'BANKING_SYSTEM';
    end if;
    organization := substring(base from '^(?:external:gateway|suspense:gateway):org:([0-9]+)$')::integer;
    organization := coalesce(organization, substring(base from '^payable:developer:([0-9]+)$')::integer);
    grid := substring(base from '^clearing:revenue:([0-9]+)$')::integer;
    insert into internal.ledger_accounts (
        code, account_class, currency, wallet_id, organization_id, grid_id, min_balance, is_hot
    )
    values (
        account_code, class, account_currency, system_wallet, organization, grid,
        case when class = 'SUSPENSE' then 0 end, class = 'EXTERNAL'
    )
    on conflict (code) do nothing
    returning id into account;
    if account is null then
        select a.id into account from internal.ledger_accounts a where a.code = account_code;
    end if;
    return account;
end
$$;

-- An entry has two postings or more, and they sum to zero in each currency; judged at commit [PAY-25, REL-146].
create function internal.check_entry_balance() returns trigger
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    entry bigint := case tg_table_name when 'ledger_entries' then new.id else (to_jsonb(new) ->> 'entry_id')::bigint end;
    sound boolean;
begin
    select sum(s.postings) >= 2 and bool_and(s.total = 0) into sound
    from (
        select count(*) as postings, sum(p.amount) as total
        from internal.ledger_postings p
        join internal.ledger_accounts a on a.id = p.account_id
        where p.entry_id = entry
        group by a.currency
    ) s;
    if sound is not true then
        raise exception 'LEDGER_UNBALANCED' using errcode = 'NX003', detail = json_build_object('entry_id', entry);
    end if;
    return null;
end
$$;

-- Rows that are evidence are never changed [PAY-26, REL-146].
create function internal.refuse_change() returns trigger
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
    raise exception '%.% is append-only', tg_table_schema, tg_table_name using errcode = 'NX012';
end
$$;

-- A balance moves only with postings [PAY-21, R14].
create function internal.guard_wallet_balance() returns trigger
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
    if current_user <> 'nxt_ledger' then
        raise exception 'wallets.balance is written by the ledger alone' using errcode = 'NX011';
    end if;
    return new;
end
$$;

create trigger open_wallet_account after insert on public.wallets
    for each row when (new.identifier is null) execute function internal.open_wallet_account();

create trigger guard_wallet_balance_on_insert before insert on public.wallets
    for each row when (new.balance <> 0) execute function internal.guard_wallet_balance();
create trigger guard_wallet_balance before update of balance on public.wallets
    for each row when (new.balance is distinct from old.balance) execute function internal.guard_wallet_balance();

create constraint trigger check_entry_balance after insert on internal.ledger_entries
    deferrable initially deferred for each row execute function internal.check_entry_balance();
-- post_entries inserts an entry and its postings together, so the entry's own check is enough for it.
create constraint trigger check_posting_balance after insert on internal.ledger_postings
    deferrable initially deferred for each row when (current_user <> 'nxt_ledger')
    execute function internal.check_entry_balance();

create trigger refuse_change before update or delete on internal.ledger_entries
    for each row execute function internal.refuse_change();
create trigger refuse_truncate before truncate on internal.ledger_entries
    for each statement execute function internal.refuse_change();
create trigger refuse_change before update or delete on internal.ledger_postings
    for each row execute function internal.refuse_change();
create trigger refuse_truncate before truncate on internal.ledger_postings
    for each statement execute function internal.refuse_change();
create trigger refuse_change before update or delete on public.meter_state_events
    for each row execute function internal.refuse_change();
create trigger refuse_truncate before truncate on public.meter_state_events
    for each statement execute function internal.refuse_change();
-- The chain of hashes is written once, by a step of its own [REL-167].
create trigger refuse_change before update on internal.audit_log
    for each row when (
        old.hash is not null
        or to_jsonb(new) - 'prev_hash' - 'hash' is distinct from to_jsonb(old) - 'prev_hash' - 'hash'
    ) execute function internal.refuse_change();
create trigger refuse_delete before delete on internal.audit_log
    for each row execute function internal.refuse_change();
create trigger refuse_truncate before truncate on internal.audit_log
    for each statement execute function internal.refuse_change();
