alter table notes add column written timestamptz not null default now();
create index notes_by_date on notes (written);
