-- Every table once, in the dialect that SQLite and Postgres share. Times are milliseconds since 1970 UTC; 0 means "not yet". Ids come from the application.
-- A check that allows more than two words says "or": for "in" SQLite fills a table of its own, anew for every row it checks. A table that belongs to a store leads its primary key with store_id.

-- What this installation knows about itself: the version of this schema, the secret key it made for itself.
create table if not exists installation (
    name text primary key,
    value text not null
);

-- An owner's login. Outlives every store; "template" is what the next store starts with (JSON), "language" what guests read who did not say; empty: English.
create table if not exists accounts (
    id text primary key,
    email text not null unique,
    confirmed_ms bigint not null default 0,
    password_hash text not null,
    template text not null default '',
    language text not null default '',
    created_ms bigint not null
);

-- A signed-in browser: one row per refresh token, only its hash. A token is replaced on use; a family ends as one.
create table if not exists sessions (
    token_hash text primary key,
    account_id text not null references accounts (id),
    family text not null,
    created_ms bigint not null,
    expires_ms bigint not null,
    replaced_ms bigint not null default 0
);
create index if not exists sessions_family on sessions (family);
create index if not exists sessions_account on sessions (account_id);

-- A link sent by mail, used once: "confirm" an address or "reset" a password.
create table if not exists links (
    id text primary key,
    account_id text not null references accounts (id),
    purpose text not null check (purpose in ('confirm', 'reset')),
    email text not null,
    expires_ms bigint not null,
    used_ms bigint not null default 0
);
create index if not exists links_account on links (account_id);

-- A program's way in: a token that an account made for it, only its hash. "scopes" are words with spaces between them.
create table if not exists api_tokens (
    id text primary key,
    account_id text not null references accounts (id),
    name text not null,
    token_hash text not null unique,
    scopes text not null,
    created_ms bigint not null,
    revoked_ms bigint not null default 0
);
create index if not exists api_tokens_account on api_tokens (account_id);

-- An address that an account's events are posted to. "secret" signs them, "old_secret" too until "old_until_ms": "whsec_" is shared (HMAC), "whsk_" the private half of a key pair (Ed25519); "events" are words with spaces between them, none: all.
-- "failing_ms" is since when nothing has arrived there, "off_ms" since when it is turned off.
create table if not exists webhooks (
    id text primary key,
    account_id text not null references accounts (id),
    name text not null,
    url text not null,
    events text not null,
    secret text not null,
    old_secret text not null default '',
    old_until_ms bigint not null default 0,
    created_ms bigint not null,
    failing_ms bigint not null default 0,
    off_ms bigint not null default 0,
    off_why text not null default ''
);
create index if not exists webhooks_account on webhooks (account_id);

-- What an owner has guests told in place of our texts: plain text with named fields, one for each moment, channel and language.
create table if not exists wordings (
    account_id text not null references accounts (id),
    moment text not null check (moment = 'joined' or moment = 'almost' or moment = 'called'),
    channel text not null check (channel in ('sms', 'email')),
    language text not null,
    subject text not null,
    text text not null,
    primary key (account_id, moment, channel, language)
);

-- One opening of one shop. "seq" numbers its events; whoever changes the store takes this row first. "webhooks": who is told of its events (JSON).
-- "ladder" is how called parties are reached (JSON). "worded" says that its owner has wordings, so that nobody looks for them in vain.
create table if not exists stores (
    id text primary key,
    account_id text not null references accounts (id),
    name text not null,
    description text not null,
    timezone text not null,
    accent text not null,
    almost_at bigint not null,
    ladder text not null default '',
    board_code bigint not null check (board_code in (0, 1)),
    state text not null check (state = 'open' or state = 'closing' or state = 'reported' or state = 'settled' or state = 'purged'),
    epoch text not null,
    seq bigint not null,
    code_number bigint not null default 0,
    opened_ms bigint not null,
    closes_ms bigint not null,
    closed_ms bigint not null default 0,
    webhooks text not null default '',
    language text not null default '',
    worded bigint not null default 0 check (worded in (0, 1)),
    report_tickets bigint not null default 0,
    delivered bigint not null default 0 check (delivered in (0, 1))
);
create unique index if not exists stores_one_open on stores (account_id) where state = 'open';
create index if not exists stores_unfinished on stores (closes_ms) where state <> 'purged';

-- From when to when, "22:00-08:00" by the store's clock, its guests are written nothing but that they are called. No row: never. Deleted with the store's data.
create table if not exists quiet_hours (store_id text primary key references stores (id), hours text not null);

-- One line of waiting people. "id" is the letter its numbers begin with.
create table if not exists queues (
    store_id text not null references stores (id),
    id text not null,
    name text not null,
    waiting_text text not null default '',
    end_text text not null default '',
    logo text not null default '',
    logo_version text not null default '',
    paused bigint not null default 0 check (paused in (0, 1)),
    last_number bigint not null default 0,
    waiting bigint not null default 0,
    pace_ms bigint not null default 0,
    last_call_ms bigint not null default 0,
    primary key (store_id, id)
);

-- One party's place in a queue. "id" is the store's seq at which it joined, "place" its order in the line, "notices" how its notifications went (JSON),
-- "push" the ids of its push subscriptions, with spaces between them. "seen_ms" is when its page showed the present call, "unreached_ms" when the staff were told that nothing had.
create table if not exists tickets (
    store_id text not null,
    id bigint not null,
    queue_id text not null,
    number bigint not null,
    name text not null,
    phone text not null,
    email text not null,
    party bigint not null check (party > 0),
    state text not null check (state = 'waiting' or state = 'called' or state = 'serving' or state = 'done' or state = 'no_show' or state = 'left' or state = 'removed'),
    desk text not null default '',
    place bigint not null,
    walk_in bigint not null check (walk_in in (0, 1)),
    calls bigint not null default 0,
    almost_ms bigint not null default 0,
    joined_ms bigint not null,
    called_ms bigint not null default 0,
    served_ms bigint not null default 0,
    ended_ms bigint not null default 0,
    notices text not null default '',
    push text not null default '',
    language text not null default '',
    seen_ms bigint not null default 0,
    unreached_ms bigint not null default 0,
    was text not null default '',
    primary key (store_id, id),
    foreign key (store_id, queue_id) references queues (store_id, id)
);
create index if not exists tickets_waiting on tickets (store_id, queue_id, place) where state = 'waiting';
create index if not exists tickets_at_desk on tickets (store_id, called_ms) where state in ('called', 'serving');
create index if not exists tickets_called on tickets (store_id, called_ms) where called_ms > 0;
create index if not exists tickets_ended on tickets (store_id, ended_ms) where ended_ms > 0;

-- Where a party's browser is notified while its page is closed, as it asked for. "id" is made of the endpoint. Deleted with the store's data.
create table if not exists push_subscriptions (
    store_id text not null,
    ticket_id bigint not null,
    id text not null,
    endpoint text not null,
    p256dh text not null,
    auth text not null,
    created_ms bigint not null,
    primary key (store_id, ticket_id, id)
);

-- A join code, only its hash. "pass_hash" belongs to the phone that scanned it first, "tickets" are the ids it was used for.
create table if not exists codes (
    store_id text not null references stores (id),
    number bigint not null,
    hash text not null,
    pass_hash text not null default '',
    state text not null check (state = 'fresh' or state = 'scanned' or state = 'used'),
    tickets text not null default '',
    created_ms bigint not null,
    expires_ms bigint not null,
    primary key (store_id, number)
);
create unique index if not exists codes_hash on codes (store_id, hash);

-- One committed change of a store, told only after commit. "public" never holds a name, phone, note or token.
create table if not exists events (
    store_id text not null references stores (id),
    seq bigint not null,
    at_ms bigint not null,
    kind text not null,
    owner text not null,
    public text not null,
    primary key (store_id, seq)
);

-- An answer already given to a request that may be sent twice: the request's key, and what it made.
create table if not exists answers (
    store_id text not null,
    key text not null,
    request_hash text not null,
    answer text not null,
    created_ms bigint not null,
    primary key (store_id, key)
);

-- A job: a row of durable work. "store_id" is whose it is: a store, or for an account's own "account-" and its id, for its webhooks "webhooks-" and its id.
-- A lane is an order within a queue of one owner: "place" is a job's place in it, and "head" says that nothing pending stands before it.
-- "ready_ms" is when a head may be claimed, "blocks" whether its lane waits if it is given up; "notifier" to "needs_report" and "ticket_id" are for deliveries: one notification to one recipient. "called_ms" names a call: such a delivery is not sent once the party has seen that call, or is not called any more.
-- "trace" is the W3C trace context of whoever put it in: "traceparent" and, after a space, "tracestate".
create table if not exists jobs (
    store_id text not null,
    id text not null,
    queue text not null,
    lane text not null default '', place bigint not null default 0,
    head bigint not null default 1 check (head in (0, 1)),
    priority bigint not null default 1 check (priority between 0 and 3),
    state text not null check (state = 'waiting' or state = 'leased' or state = 'done' or state = 'dead' or state = 'expired' or state = 'cancelled'),
    attempts bigint not null default 0, max_attempts bigint not null default 0,
    lease text not null default '', leased_until_ms bigint not null default 0,
    worker text not null default '',
    due_ms bigint not null, ready_ms bigint not null,
    not_after_ms bigint not null default 0,
    outcome text not null default '',
    created_ms bigint not null,
    ended_ms bigint not null default 0,
    body text not null,
    notifier text not null default '', recipient text not null default '', moment text not null default '',
    needs_report bigint not null default 0 check (needs_report in (0, 1)),
    blocks bigint not null default 0 check (blocks in (0, 1)),
    ticket_id bigint not null default 0, called_ms bigint not null default 0,
    trace text not null default '',
    primary key (store_id, id)
);
create index if not exists jobs_ready on jobs (queue, priority, ready_ms, id) where state = 'waiting' and head = 1;
create index if not exists jobs_of_notifier on jobs (queue, notifier, ready_ms, id) where state = 'waiting' and head = 1 and notifier <> '';
create index if not exists jobs_leased on jobs (queue, leased_until_ms) where state = 'leased';
create index if not exists jobs_lane on jobs (store_id, queue, lane, place) where lane <> '' and state in ('waiting', 'leased');
create unique index if not exists jobs_in_flight on jobs (store_id, queue, lane) where lane <> '' and state = 'leased';
create index if not exists jobs_ended on jobs (ended_ms) where ended_ms > 0;
create index if not exists jobs_of_call on jobs (store_id, ticket_id) where called_ms > 0 and state = 'waiting';

-- One try at a job: who had it, from when to when, and what became of it. A "number" below 1 does not count: it was given back, or the job
-- has begun anew since. The newest 50 of each job are kept.
create table if not exists attempts (
    store_id text not null,
    job_id text not null,
    number bigint not null,
    worker text not null,
    started_ms bigint not null,
    ended_ms bigint not null default 0,
    outcome text not null default '',
    detail text not null default '',
    primary key (store_id, job_id, number)
);

-- A dead letter: a job that was given up, as it was. "blocks": its lane waits until somebody has decided about it.
create table if not exists dead_jobs (
    store_id text not null,
    id text not null,
    queue text not null, lane text not null, place bigint not null, priority bigint not null,
    attempts bigint not null, max_attempts bigint not null, not_after_ms bigint not null,
    outcome text not null,
    created_ms bigint not null,
    died_ms bigint not null,
    blocks bigint not null default 0 check (blocks in (0, 1)),
    body text not null,
    notifier text not null, recipient text not null, moment text not null,
    ticket_id bigint not null default 0, called_ms bigint not null default 0,
    trace text not null default '',
    primary key (store_id, id)
);
create index if not exists dead_jobs_of_queue on dead_jobs (queue, died_ms);
create index if not exists dead_jobs_died on dead_jobs (died_ms);
create index if not exists dead_jobs_blocking on dead_jobs (store_id, queue, lane) where blocks = 1;

-- A deduplication key and the job it stands for until its window ends.
create table if not exists job_keys (
    store_id text not null,
    queue text not null,
    key text not null,
    job_id text not null,
    until_ms bigint not null,
    primary key (store_id, queue, key)
);
create index if not exists job_keys_until on job_keys (until_ms);

-- What an account has put in again and again: at the times of "cron" in "timezone" a message or a job, which "body" says (JSON). "next_ms" is its next
-- time, and whoever moves that on puts in what is due; "missed" says what becomes of times that passed while nobody could. "problem" is why nothing was put in last.
create table if not exists schedules (
    account_id text not null references accounts (id),
    name text not null,
    cron text not null,
    timezone text not null,
    missed text not null check (missed in ('skip', 'once', 'each')),
    body text not null,
    paused bigint not null check (paused in (0, 1)),
    next_ms bigint not null,
    last_ms bigint not null,
    last_id text not null,
    problem text not null,
    created_ms bigint not null,
    primary key (account_id, name)
);
create index if not exists schedules_due on schedules (next_ms) where paused = 0;

-- A delivery about a ticket that a provider accepted, and what the provider told later. "recipient_hash" is keyed, "at_ms" when it was accepted.
create table if not exists arrivals (
    store_id text not null,
    job_id text not null,
    notifier text not null,
    recipient_hash text not null,
    ticket_id bigint not null,
    moment text not null,
    at_ms bigint not null,
    state text not null check (state = 'accepted' or state = 'delivered' or state = 'undelivered'),
    why text not null default '',
    told_ms bigint not null default 0,
    primary key (store_id, job_id)
);
create index if not exists arrivals_awaited on arrivals (recipient_hash, at_ms) where state = 'accepted';

-- Which delivery a provider means that hands back no id of ours: what it told first under its own id of the message, a keyed hash here, decided that.
create table if not exists arrival_messages (store_id text not null, message_hash text not null, job_id text not null, primary key (store_id, message_hash));
create index if not exists arrival_messages_hash on arrival_messages (message_hash);

-- Somebody who wants no more messages over a channel ("" is every one), or with ":line" behind it none but "it's your turn"; by a keyed hash of the address. "source" is how that is known: "reply", "gateway", "mail", "page", "bounce" or "complaint". Belongs to the installation and stays.
create table if not exists opt_outs (
    recipient_hash text not null,
    channel text not null,
    source text not null,
    since_ms bigint not null,
    primary key (recipient_hash, channel)
);

-- A message that was handed out for a guest, by a keyed hash of the number or address it goes to, so that nobody gets too many. Forgotten after guest_messages_minutes.
create table if not exists guest_messages (recipient_hash text not null, job_id text not null, at_ms bigint not null, primary key (recipient_hash, job_id));
create index if not exists guest_messages_at on guest_messages (at_ms);

-- A message as its recipient would have seen it, kept instead of sent while the setting capture_messages is on. Deleted with the store's data.
create table if not exists outbox (
    store_id text not null,
    id text not null,
    at_ms bigint not null,
    notifier text not null,
    recipient text not null,
    moment text not null,
    subject text not null,
    text text not null,
    html text not null,
    primary key (store_id, id)
);
create index if not exists outbox_at on outbox (at_ms);

-- A part of a report file, in order. Deleted with the store's data.
create table if not exists reports (
    store_id text not null references stores (id),
    file text not null,
    part bigint not null,
    content text not null,
    primary key (store_id, file, part)
);

-- A report file as a whole, written once it is complete.
create table if not exists report_files (
    store_id text not null references stores (id),
    file text not null,
    media_type text not null,
    tickets bigint not null,
    bytes bigint not null,
    sha256 text not null,
    about text not null,
    primary key (store_id, file)
);

-- The signed record that a closed store's data was deleted. Holds no personal data; stays.
create table if not exists receipts (
    store_id text primary key references stores (id),
    account_id text not null,
    body text not null
);
create index if not exists receipts_account on receipts (account_id);

-- A queue from which nothing is taken until an operator says so.
create table if not exists paused_queues (queue text primary key, since_ms bigint not null);

-- What the operator was told is wrong, until it is right again.
create table if not exists alarms (name text primary key, since_ms bigint not null, told_ms bigint not null, figure bigint not null);
