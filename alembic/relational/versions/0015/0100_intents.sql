-- A client is whom row security limits, or who comes with the service key; the product's own role registers intents
-- itself, and the owner's repairs are none [R16].

create or replace trigger take_intents after update of should_be_on, power_limit_should_be on public.meters
    for each row when (
        current_user <> 'nxt_app' and (current_user = 'service_role' or row_security_active('public.meters'))
        and (new.should_be_on, new.power_limit_should_be)
            is distinct from (old.should_be_on, old.power_limit_should_be)
    ) execute function internal.take_intents();
