-- Keys come by identity, which asks for no right on a sequence; a hosted database hands them to everybody [REL-109].

revoke all on all sequences in schema public from public, anon, authenticated;
alter default privileges in schema public revoke all on sequences from public, anon, authenticated;
