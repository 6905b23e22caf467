-- Places are GeoJSON [REL-19, R45]: `geometry` where PostGIS is at hand, else `jsonb` of the same shape, which then has a
-- check of its own.

do $$
begin
    if not exists (select from pg_extension where extname = 'postgis')
        and exists (select from pg_available_extensions where name = 'postgis') then
        create extension postgis schema extensions;
    end if;
exception
    when insufficient_privilege then
        raise notice 'PostGIS may not be installed by this login; places are kept as jsonb';
end
$$;

do $$
declare
    place record;
    home regnamespace := (select extnamespace from pg_extension where extname = 'postgis');
begin
    for place in
        select * from (values
            ('grids', 'location_geom', 'Point', false),
            ('poles', 'location_geom', 'Point', true),
            ('dcus', 'location_geom', 'Point', false),
            ('energy_cabins', 'location_geom', 'Point', true),
            ('pd_site_submissions', 'location_geom', 'Point', true),
            ('pd_site_submissions', 'outline_geom', 'Polygon', true),
            ('pd_sites', 'location_geom', 'Point', true),
            ('pd_sites', 'outline_geom', 'Polygon', true)
        ) as t (owner, name, kind, indexed)
    loop
        if home is null then
            execute format(
                'alter table public.%1$I add constraint %2$I check ('
                '%3$I ->> ''type'' is not distinct from %4$L'
                ' and jsonb_typeof(%3$I -> ''coordinates'') is not distinct from ''array'' or %3$I is null)',
                place.owner, format('ck_%s_%s', place.owner, place.name), place.name, place.kind
            );
            continue;
        end if;
        execute format(
            'alter table public.%1$I alter column %2$I type %3$s.geometry(%4$s, 4326)'
            ' using %3$s.st_geomfromgeojson(%2$I)',
            place.owner, place.name, home, place.kind
        );
        if place.indexed then
            execute format(
                'create index %1$I on public.%2$I using gist (%3$I)',
                format('idx_%s_%s', place.owner, place.name), place.owner, place.name
            );
        end if;
    end loop;
end
$$;
