-- References between tables that point at each other.

alter table public.members add constraint "FK_a9da2a35fdd2cd46a7bfc57fd73"
    foreign key (busy_commissioning_id) references public.grids (id);

alter table public.agents add constraint "FK_9bb7cb7efc780ec4d3dec34354f"
    foreign key (grid_id) references public.grids (id);

alter table public.customers add constraint "FK_51a88ee1d4fceb047e7cfda3baa"
    foreign key (grid_id) references public.grids (id);

alter table public.notes add constraint "FK_f1a5ea7b77453030e2a1df27479"
    foreign key (connection_id) references public.connections (id);

alter table public.notes add constraint "FK_5ec9536f852f1923097ba1ecdac"
    foreign key (meter_id) references public.meters (id);

alter table public.dcus add constraint "FK_9334b587e6e5291f8ccd1b11c44"
    foreign key (last_metering_hardware_install_session_id) references public.metering_hardware_install_sessions (id);

alter table public.metering_hardware_install_sessions add constraint "FK_3f770c153b3333ad1d29cfbf784"
    foreign key (meter_id) references public.meters (id);

alter table public.metering_hardware_install_sessions add constraint "FK_4eb64f5decb7250cfa993410c1e"
    foreign key (last_meter_commissioning_id) references public.meter_commissionings (id);

alter table public.metering_hardware_install_sessions add constraint "FK_be64a09dc738420a409cb960264"
    foreign key (last_metering_hardware_import_id) references public.metering_hardware_imports (id);

alter table public.meters add constraint "FK_5606d6ec5ab568377509edc5267"
    foreign key (last_encountered_issue_id) references public.issues (id);

alter table public.transactions add constraint "FK_3cb0558ed36997f1d9ecc1118e7"
    foreign key (order_id) references public.orders (id);
