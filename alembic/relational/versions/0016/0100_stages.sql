-- The statuses that a message went through after it was queued, oldest first, each with the database's time. They are
-- written by the statements that move it, and stay with it in the archive: support asks "what became of that command?".

alter table messaging.device_messages
    add column passed_statuses text[] not null default '{}',
    add column passed_at timestamptz[] not null default '{}';

alter table messaging.message_archive
    add column passed_statuses text[] not null default '{}',
    add column passed_at timestamptz[] not null default '{}';
