-- An organization's merchant keys, for those who bypass row security; all null unless enabled and complete [REL-152].
-- The keys' text is known here only where the host keeps secrets in its vault; else the application decrypts [R15].

create function public.get_flutterwave_credentials(p_organization_id integer) returns table (
    public_key text, secret_key text, webhook_secret text
)
language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
declare
    stored internal.organization_payment_credentials;
begin
    select * into stored from internal.organization_payment_credentials c
    where c.organization_id = p_organization_id and c.flutterwave_enabled;
    if found and to_regclass('vault.decrypted_secrets') is not null then
        execute 'select max(decrypted_secret) filter (where id = $1), max(decrypted_secret) filter (where id = $2)'
            ' from vault.decrypted_secrets where id in ($1, $2)'
        into secret_key, webhook_secret
        using stored.flutterwave_secret_key_id, stored.flutterwave_webhook_secret_id;
        public_key := stored.flutterwave_public_key;
    end if;
    if public_key is null or secret_key is null or webhook_secret is null then
        public_key := null;
        secret_key := null;
        webhook_secret := null;
    end if;
    return next;
end
$$;
