-- The truth about the database. The numbered files in migrations/ lead here; a test compares the two.
--
-- Rules that hold whatever program writes:
--   * the tenant is the first column of every key; row-level security hides every other tenant's rows;
--   * the journal only grows, entry by entry, each entry whole in one statement;
--   * a subject moves along its lifecycle or not at all;
--   * the identity of an effect is the business object, unique for ever.
-- The application writes as counterfoil_app, which owns nothing. No clock and no chance in here: times and ids come from
-- the application's ports.

-- ---------------------------------------------------------------------------------------------------------------------
-- Who: tenants, keys, accounts, customers
-- ---------------------------------------------------------------------------------------------------------------------

create table tenant (
    id text primary key,
    name text not null unique,
    mode text not null check (mode in ('test', 'live')),
    paused boolean not null default false,
    created_at timestamptz not null
);

create table api_key (
    tenant text not null references tenant,
    id text not null,
    prefix text not null,
    hash bytea not null,
    scopes text[] not null,
    created_at timestamptz not null,
    revoked_at timestamptz,
    primary key (tenant, id),
    unique (tenant, hash)
);

-- Secrets of a tenant that are nobody's credentials, such as what its API keys are hashed with. Sealed.
create table tenant_secret (
    tenant text not null references tenant,
    name text not null,
    box bytea not null,
    primary key (tenant, name)
);

-- A person's visit to the console. A link for signing in is a visit that was not opened yet; opening it ends it and starts
-- another, so a link works once. Only the id is signed into a cookie: ending the row ends the visit.
create table console_session (
    tenant text not null references tenant,
    id text not null,
    api_key text,
    created_at timestamptz not null,
    expires_at timestamptz not null,
    opened_at timestamptz,
    ended_at timestamptz,
    primary key (tenant, id),
    foreign key (tenant, api_key) references api_key
);

create table provider_account (
    tenant text not null references tenant,
    id text not null,
    provider text not null check (provider in ('stripe')),
    livemode boolean not null,
    mode text not null check (mode in ('observe', 'live')),
    paused boolean not null default false,
    external_account text,
    base_url text,
    api_version text,
    secret_box bytea not null,
    created_at timestamptz not null,
    primary key (tenant, id)
);

-- News of a connected account has one place to go.
create unique index provider_account_connected on provider_account (tenant, external_account, livemode)
where external_account is not null;

create table webhook_endpoint (
    tenant text not null,
    slug text not null,
    account text not null,
    secrets_box bytea not null,
    provider_ref text,
    -- Whether it also brings the news of the accounts that are connected to this one.
    platform boolean not null default false,
    created_at timestamptz not null,
    primary key (tenant, slug),
    foreign key (tenant, account) references provider_account
);

-- Routes a webhook's path to its tenant before any tenant is known. Holds no data.
create table endpoint_route (
    slug text primary key,
    tenant text not null references tenant
);

create table customer (
    tenant text not null,
    id text not null,
    account text not null,
    external_id text,
    provider_ref text,
    paused boolean not null default false,
    -- What the application says of it: its address is its own; and why nothing is sold to it, a word of the application's.
    email_verified boolean not null default false,
    risk text check (risk ~ '^[a-z0-9][a-z0-9_.-]{0,63}$'),
    deleted_at_provider boolean not null default false,
    -- When its personal data were erased, for ever.
    erased_at timestamptz,
    -- What the provider bills in, once it has billed anything: it never changes.
    currency text check (currency ~ '^[A-Z]{3}$'),
    created_at timestamptz not null,
    primary key (tenant, id),
    unique (tenant, external_id),
    unique (tenant, account, provider_ref),
    foreign key (tenant, account) references provider_account
);

create index customer_erased on customer (tenant, account, provider_ref) where erased_at is not null;

-- Personal data stands apart, so that it can be erased while the books stay.
create table customer_person (
    tenant text not null,
    customer text not null,
    name text,
    email text,
    metadata jsonb not null default '{}',
    -- The language that the customer is written to in.
    locale text not null default 'en' check (locale ~ '^[a-z]{2}(-[A-Z]{2})?$'),
    -- What documents say of the buyer: name and address lines, country, tax id, language.
    billing jsonb not null default '{}',
    primary key (tenant, customer),
    foreign key (tenant, customer) references customer
);

create table method (
    tenant text not null,
    id text not null,
    customer text not null,
    account text not null,
    provider_ref text not null,
    kind text not null,
    brand text,
    last4 text,
    expires text,
    fingerprint text,
    country text,
    is_default boolean not null default false,
    attached boolean not null default true,
    created_at timestamptz not null,
    primary key (tenant, id),
    unique (tenant, account, provider_ref),
    foreign key (tenant, customer) references customer,
    foreign key (tenant, account) references provider_account,
    check (attached or not is_default)
);

create unique index method_one_default on method (tenant, customer) where is_default;
create index method_of_customer on method (tenant, customer);

-- ---------------------------------------------------------------------------------------------------------------------
-- What was promised: wallets, lots, holds
-- ---------------------------------------------------------------------------------------------------------------------

create table service_unit (
    tenant text not null references tenant,
    code text not null check (code ~ '^[a-z][a-z0-9-]{0,62}$'),
    scale int not null check (scale between 0 and 12),
    face_minor bigint check (face_minor > 0),
    face_currency text check (face_currency ~ '^[A-Z]{3}$'),
    primary key (tenant, code),
    check ((face_minor is null) = (face_currency is null))
);

create table wallet (
    tenant text not null,
    id text not null,
    customer text not null,
    unit text not null,
    status text not null,
    moves int not null default 0,
    -- What happens to use that no lot covers, how much of it may be owed, and how much of it is owed now.
    overdraft text not null default 'refuse' check (overdraft in ('refuse', 'debt', 'write_off')),
    debt_limit bigint check (debt_limit is null or debt_limit >= 0 and overdraft = 'debt'),
    debt bigint not null default 0 check (debt >= 0),
    -- What happens to spent credits whose price is refunded: they are owed, or forgiven.
    shortfall text not null default 'debt' check (shortfall in ('debt', 'forgive')),
    -- Whether the use of a plan may go on to credits of no pool when the plan's are used up.
    overflow boolean not null default true,
    -- Below which shares of the last top-up and below which balances somebody is told, once after each top-up; and the
    -- highest of them that has not told yet.
    alert_percents bigint[] not null default '{20,5}',
    alert_levels bigint[] not null default '{}',
    last_topup bigint not null default 0,
    topups int not null default 0,
    alert_at bigint,
    -- What its auto top-up wants to be told of: that less than this can be spent.
    watch_below bigint check (watch_below > 0),
    -- How many open disputes keep it from being spent from.
    contested int not null default 0 check (contested >= 0),
    created_at timestamptz not null,
    primary key (tenant, id),
    foreign key (tenant, customer) references customer,
    foreign key (tenant, unit) references service_unit
);

create unique index wallet_one_open on wallet (tenant, customer, unit) where status <> 'closed';
create index wallet_of_customer on wallet (tenant, customer);

-- Taxes as they were given, each with its name, its rate in words and its amount: nothing here computes one.
create function taxes_minor(taxes jsonb) returns numeric
language sql immutable
return (select coalesce(sum((each ->> 'amount_minor')::numeric), 0) from jsonb_array_elements(taxes) as each);

-- What has a wallet filled again by itself, as its owner agreed to it, and where it stands. One per wallet, for ever.
create table auto_topup (
    tenant text not null,
    id text not null,
    customer text not null,
    wallet text not null,
    status text not null,
    trigger text not null check (trigger in ('threshold', 'target', 'interval')),
    below bigint check (below > 0),
    target bigint check (target > below),
    every_s bigint check (every_s > 0),
    pack text,
    quantity bigint check (quantity > 0),
    price_minor bigint check (price_minor > 0),
    currency text not null check (currency ~ '^[A-Z]{3}$'),
    attempt_max_minor bigint not null check (attempt_max_minor > 0),
    month_max_minor bigint not null check (month_max_minor >= attempt_max_minor),
    method text,
    -- Who agreed, when, and to which text: an id, never a name.
    consent_by text not null,
    consent_at timestamptz not null,
    consent_text text not null,
    -- The purchase that is under way, and until when the customer may confirm it.
    attempt text,
    action_by timestamptz,
    failures int not null check (failures >= 0),
    failing_since timestamptz,
    failure_code text,
    retry_at timestamptz,
    due_at timestamptz,
    moves int not null,
    created_at timestamptz not null,
    primary key (tenant, id),
    unique (tenant, wallet),
    foreign key (tenant, customer) references customer,
    foreign key (tenant, wallet) references wallet,
    foreign key (tenant, method) references method,
    check ((trigger = 'interval') = (every_s is not null) and (trigger = 'interval') = (below is null)),
    check ((trigger = 'target') = (target is not null)),
    check ((pack is null) = (quantity is not null) and (quantity is null) = (price_minor is null)),
    check (action_by is null or attempt is not null),
    check (attempt is null or retry_at is null),
    check (status = 'on' or retry_at is null)
);

create index auto_topup_on on auto_topup (tenant, customer) where status = 'on' or attempt is not null;

create table purchase (
    tenant text not null,
    id text not null,
    customer text not null,
    account text not null,
    wallet text not null,
    settlement text not null check (settlement in ('invoice', 'external', 'promotional')),
    collector text check (collector in ('ours', 'provider')),
    status text not null,
    pack text,
    pack_version int,
    quantity bigint not null check (quantity > 0),
    currency text not null check (currency ~ '^[A-Z]{3}$'),
    -- What is paid in all is the sum; only net buys credits.
    net_minor bigint not null check (net_minor >= 0),
    fee_minor bigint not null check (fee_minor >= 0),
    tax_minor bigint not null check (tax_minor >= 0),
    taxes jsonb not null default '[]' check (taxes = '[]' or taxes_minor(taxes) = tax_minor),
    expires_after_s bigint check (expires_after_s > 0),
    priority int not null,
    features text[] not null,
    grant_timing text not null check (grant_timing in ('after_paid', 'at_purchase')),
    invoice text,
    line text,
    invoice_at timestamptz,
    method text,
    balance_minor bigint not null,
    card_minor bigint not null check (card_minor >= 0),
    external_minor bigint not null check (external_minor >= 0),
    discount_minor bigint not null check (discount_minor >= 0),
    provider_ref text,
    grant_lot text,
    authorized_at timestamptz,
    settled_at timestamptz,
    fulfilled_at timestamptz,
    canceled_at timestamptz,
    voided_at timestamptz,
    failure_code text,
    failure_text text,
    failures int not null check (failures >= 0),
    refunded_minor bigint not null check (refunded_minor >= 0),
    clawed bigint not null check (clawed between 0 and quantity),
    description text not null,
    external_id text,
    given_up_at timestamptz,
    auto_topup text,
    created_at timestamptz not null,
    primary key (tenant, id),
    unique (tenant, external_id),
    -- A line bills one purchase, a provider's object collects one, and each has one lot: for ever.
    unique (tenant, line),
    unique (tenant, account, provider_ref),
    unique (tenant, grant_lot),
    foreign key (tenant, customer) references customer,
    foreign key (tenant, account) references provider_account,
    foreign key (tenant, wallet) references wallet,
    foreign key (tenant, method) references method,
    foreign key (tenant, auto_topup) references auto_topup,
    check ((pack is null) = (pack_version is null)),
    check ((settlement = 'invoice') = (collector is not null)),
    check (case settlement when 'promotional' then net_minor + fee_minor + tax_minor = 0 else net_minor > 0 end),
    check (line is null or invoice is not null),
    -- Three facts: the money is promised, it is there, the credits were given.
    check (status not in ('scheduled', 'pending') or authorized_at is null),
    check ((status in ('settled', 'voided')) = (settled_at is not null)),
    check (settled_at is null or authorized_at is not null),
    check ((grant_lot is null) = (fulfilled_at is null)),
    check (fulfilled_at is null or grant_timing = 'at_purchase' or settled_at is not null),
    check (settled_at is null or settlement = 'promotional' or balance_minor + card_minor + external_minor + discount_minor > 0),
    check (status <> 'canceled' or canceled_at is not null),
    check ((status = 'voided') = (voided_at is not null))
);

create index purchase_of_customer on purchase (tenant, customer, created_at);
create index purchase_of_wallet on purchase (tenant, wallet, created_at);
-- An auto top-up has one attempt that may be charged, never two.
create unique index purchase_one_attempt on purchase (tenant, auto_topup)
where auto_topup is not null and status in ('scheduled', 'pending', 'authorized', 'failed');
create index purchase_of_invoice on purchase (tenant, invoice) where invoice is not null;

create table grant_lot (
    tenant text not null,
    id text not null,
    wallet text not null,
    source text not null,
    amount bigint not null check (amount > 0),
    remaining bigint not null check (remaining between 0 and amount),
    held bigint not null default 0 check (held between 0 and remaining),
    cost_minor bigint not null check (cost_minor >= 0),
    cost_currency text not null check (cost_currency ~ '^[A-Z]{3}$'),
    released_minor bigint not null default 0 check (released_minor between 0 and cost_minor),
    priority int not null,
    effective_at timestamptz not null,
    expires_at timestamptz check (expires_at > effective_at),
    gone bigint not null default 0 check (gone between 0 and amount - remaining),
    -- Which features it is for; empty is any. A pool serves the use of its plans only; '' is none.
    features text[] not null default '{}',
    pool text not null default '',
    -- Counts the entries of its own, such as what was recognised of it, so that each has a key.
    steps int not null default 0,
    -- How much of what was used has been taken back since, as debt or forgiven, because its price was refunded.
    clawed bigint not null default 0 check (clawed >= 0),
    voided_at timestamptz,
    purchase text,
    created_at timestamptz not null,
    primary key (tenant, id),
    unique (tenant, purchase),
    foreign key (tenant, wallet) references wallet,
    foreign key (tenant, purchase) references purchase
);

create index grant_lot_of_wallet on grant_lot (tenant, wallet);
-- Lots of which something is still to be earned. It names no column that a spend changes, so spending moves no index.
create index grant_lot_to_recognise on grant_lot (tenant, wallet, id) where released_minor < cost_minor;

-- ---------------------------------------------------------------------------------------------------------------------
-- What is owed and how it is paid: invoices, payments, legs
-- ---------------------------------------------------------------------------------------------------------------------

-- What one checkout sells: one or several invoices, which one payment collects or one setup promises. It starts once.
create table sales_order (
    tenant text not null,
    id text not null,
    customer text not null,
    account text not null,
    status text not null,
    collect text not null check (collect in ('checkout', 'payment', 'setup')),
    currency text not null check (currency ~ '^[A-Z]{3}$'),
    total_minor bigint not null check (total_minor > 0),
    description text not null,
    external_id text,
    return_url text,
    -- What is set up at the provider, and the hosted page of it.
    setup_ref text,
    session_ref text,
    action_url text,
    method text,
    started_at timestamptz,
    started_by text check (started_by in ('payment', 'setup')),
    canceled_at timestamptz,
    refusal_code text,
    created_at timestamptz not null,
    primary key (tenant, id),
    unique (tenant, external_id),
    unique (tenant, account, setup_ref),
    unique (tenant, account, session_ref),
    foreign key (tenant, customer) references customer,
    foreign key (tenant, account) references provider_account,
    foreign key (tenant, method) references method,
    check ((status = 'started') = (started_at is not null) and (started_at is null) = (started_by is null)),
    check (collect = 'setup' or (setup_ref is null and session_ref is null)),
    check (status <> 'canceled' or canceled_at is not null)
);

create index sales_order_of_customer on sales_order (tenant, customer, created_at);
create index sales_order_open on sales_order (tenant, account) where status in ('open', 'processing');

create table invoice (
    tenant text not null,
    id text not null,
    customer text not null,
    account text not null,
    currency text not null check (currency ~ '^[A-Z]{3}$'),
    status text not null,
    payment_status text not null,
    total_minor bigint not null check (total_minor >= 0),
    paid_minor bigint not null check (paid_minor between 0 and total_minor),
    number text,
    description text not null,
    due_at timestamptz,
    collect_at_due boolean not null,
    finalized_at timestamptz,
    paid_at timestamptz,
    paid_with text,
    voided_at timestamptz,
    -- Who collects it: we, or the provider by an invoice of its own, which this one mirrors under the provider's number.
    collector text not null check (collector in ('ours', 'provider')),
    provider_ref text,
    discount_minor bigint not null check (discount_minor >= 0),
    -- Somebody wants it void; it will be as soon as the last collector at the provider has ended.
    void_asked_at timestamptz,
    -- What of the debt credit notes took off.
    credited_minor bigint not null default 0 check (credited_minor >= 0 and paid_minor + credited_minor <= total_minor),
    -- The order that sells what it bills.
    sales_order text,
    created_at timestamptz not null,
    primary key (tenant, id),
    unique (tenant, account, provider_ref),
    foreign key (tenant, customer) references customer,
    foreign key (tenant, sales_order) references sales_order,
    foreign key (tenant, account) references provider_account,
    check ((number is not null) = (finalized_at is not null)),
    check (status = 'void' or (status = 'draft') = (finalized_at is null)),
    check ((status = 'void') = (voided_at is not null)),
    -- A draft and a void invoice owe nothing; an open one still owes something.
    check (status not in ('draft', 'void') or paid_minor = 0),
    check (status not in ('open', 'uncollectible') or paid_minor + credited_minor < total_minor or discount_minor > 0),
    check (collector = 'provider' or (provider_ref is null and discount_minor = 0)),
    -- Paid is one fact: status, amount, date and means are there together, or none of them.
    check (
        (status = 'paid') = (paid_at is not null)
        and (paid_at is null) = (paid_with is null)
        and (status <> 'paid' or (paid_minor + credited_minor = total_minor and payment_status = 'succeeded'))
    )
);

create unique index invoice_number on invoice (tenant, number) where collector = 'ours';
create index invoice_of_customer on invoice (tenant, customer, created_at);
-- What a check recomputes: whether an invoice is under way says its legs, never itself.
create index invoice_under_way on invoice (tenant, id) where payment_status in ('processing', 'requires_action');
create index invoice_of_order on invoice (tenant, sales_order) where sales_order is not null;
-- What a sweep looks at again: an invoice of the provider's that is not over there.
create index invoice_open_there on invoice (tenant, account)
where collector = 'provider' and status in ('draft', 'open') and provider_ref is not null;

create table invoice_line (
    tenant text not null,
    id text not null,
    invoice text not null,
    position int not null check (position >= 0),
    kind text not null,
    description text not null,
    net_minor bigint not null check (net_minor >= 0),
    tax_minor bigint not null check (tax_minor >= 0),
    taxes jsonb not null default '[]' check (taxes = '[]' or taxes_minor(taxes) = tax_minor),
    purchase text,
    -- What of its price, and of its tax, refunds and credit notes gave back.
    returned_net_minor bigint not null default 0 check (returned_net_minor between 0 and net_minor),
    returned_tax_minor bigint not null default 0 check (returned_tax_minor between 0 and tax_minor),
    primary key (tenant, id),
    unique (tenant, invoice, position),
    foreign key (tenant, invoice) references invoice,
    foreign key (tenant, purchase) references purchase,
    check (net_minor + tax_minor > 0),
    check (kind <> 'credit_purchase' or purchase is not null),
    check (purchase is null or kind in ('credit_purchase', 'fee'))
);

-- A purchase is billed once, and so is its fee.
create unique index invoice_line_one_purchase on invoice_line (tenant, purchase, kind) where purchase is not null;

-- What a purchase points at is made together with it, before or after.
alter table purchase
    add foreign key (tenant, invoice) references invoice deferrable initially deferred,
    add foreign key (tenant, line) references invoice_line deferrable initially deferred,
    add foreign key (tenant, grant_lot) references grant_lot deferrable initially deferred;
alter table auto_topup
    add foreign key (tenant, attempt) references purchase deferrable initially deferred;

-- Lines that wait for their invoice date: on the books from the moment they were asked for, billed once.
create table pending_line (
    tenant text not null,
    id text not null,
    customer text not null,
    account text not null,
    status text not null,
    description text not null,
    currency text not null check (currency ~ '^[A-Z]{3}$'),
    net_minor bigint not null check (net_minor >= 0),
    fee_minor bigint not null check (fee_minor >= 0),
    tax_minor bigint not null check (tax_minor >= 0),
    taxes jsonb not null default '[]' check (taxes = '[]' or taxes_minor(taxes) = tax_minor),
    invoice_at timestamptz not null,
    about text not null,
    purchase text,
    invoice text,
    line text,
    created_at timestamptz not null,
    primary key (tenant, id),
    unique (tenant, purchase),
    unique (tenant, line),
    foreign key (tenant, customer) references customer,
    foreign key (tenant, account) references provider_account,
    foreign key (tenant, purchase) references purchase,
    foreign key (tenant, invoice) references invoice deferrable initially deferred,
    foreign key (tenant, line) references invoice_line deferrable initially deferred,
    check (net_minor + tax_minor > 0),
    check ((status = 'invoiced') = (invoice is not null) and (invoice is null) = (line is null))
);

create index pending_line_waiting on pending_line (tenant, customer) where status = 'waiting';
create index pending_line_of_customer on pending_line (tenant, customer, id);

-- What is on sale, and what purchases are held to: versions, of which the last one holds.
create table pack_version (
    tenant text not null,
    code text not null check (code ~ '^[a-z0-9][a-z0-9._-]{0,62}$'),
    version int not null check (version > 0),
    unit text not null,
    quantity bigint not null check (quantity > 0),
    terms jsonb not null,
    created_at timestamptz not null,
    primary key (tenant, code, version),
    foreign key (tenant, unit) references service_unit
);

create table purchase_policy (
    tenant text not null references tenant,
    version int not null check (version > 0),
    terms jsonb not null,
    created_at timestamptz not null,
    primary key (tenant, version)
);

-- How the host application writes our invoices into the metadata of its own payments: versions, of which the last holds.
create table metadata_mapping (
    tenant text not null references tenant,
    version int not null check (version > 0),
    terms jsonb not null,
    created_at timestamptz not null,
    primary key (tenant, version)
);

-- What a tenant's collecting is held to: versions, of which the last one holds.
create table collection_policy (
    tenant text not null references tenant,
    version int not null check (version > 0),
    terms jsonb not null,
    created_at timestamptz not null,
    primary key (tenant, version)
);

-- Gap-free: the row is held from taking a number until the transaction that uses it ends. A prefix ends in no digit, so
-- that the digits at the end of a number are its place in the series whatever the prefix was then.
create table number_series (
    tenant text not null references tenant,
    series text not null check (series in ('invoice', 'receipt', 'credit_note')),
    prefix text not null check (prefix ~ '^[A-Za-z0-9 ./_-]{0,19}[A-Za-z ./_-]$'),
    last bigint not null check (last >= 0),
    primary key (tenant, series)
);

-- Who sells, as documents say it: versions, of which the last one holds.
create table seller_version (
    tenant text not null references tenant,
    version int not null check (version > 0),
    details jsonb not null,
    created_at timestamptz not null,
    primary key (tenant, version)
);

-- Papers as they were given out: rendered once, in the transaction that takes their number, and never again. What they
-- say of a person stays when that person's data are erased, because the law wants documents kept.
create table document (
    tenant text not null,
    id text not null,
    kind text not null check (kind in ('invoice', 'receipt', 'credit_note')),
    subject text not null,
    customer text not null,
    number text not null,
    place bigint not null check (place > 0),
    language text not null,
    bytes bytea not null,
    sha256 bytea not null check (sha256 = sha256(bytes)),
    created_at timestamptz not null,
    primary key (tenant, id),
    unique (tenant, kind, subject),
    unique (tenant, kind, place),
    foreign key (tenant, customer) references customer
);

create index document_of_customer on document (tenant, customer, id);

create table payment (
    tenant text not null,
    id text not null,
    customer text not null,
    account text not null,
    status text not null,
    amount_minor bigint not null check (amount_minor > 0),
    currency text not null check (currency ~ '^[A-Z]{3}$'),
    confirmation text not null,
    method text,
    -- Where the provider's page sends the customer back to.
    return_url text,
    settled_at timestamptz,
    created_at timestamptz not null,
    primary key (tenant, id),
    foreign key (tenant, customer) references customer,
    foreign key (tenant, method) references method,
    foreign key (tenant, account) references provider_account,
    check ((status = 'succeeded') <= (settled_at is not null))
);

create index payment_of_customer on payment (tenant, customer, created_at);
create index payment_under_way on payment (tenant, id) where status in ('processing', 'requires_action');

create table leg (
    tenant text not null,
    id text not null,
    payment text not null,
    kind text not null check (kind in ('credit', 'provider', 'balance', 'external')),
    status text not null,
    amount_minor bigint not null check (amount_minor > 0),
    currency text not null check (currency ~ '^[A-Z]{3}$'),
    position int not null,
    wallet text,
    quantity bigint not null check (quantity >= 0),
    account text,
    method text,
    provider_ref text,
    -- The hosted checkout that we made for it; its payment, once there is one, is `provider_ref`.
    session_ref text,
    charge_ref text,
    received_minor bigint not null check (received_minor >= 0),
    refusal_code text,
    refusal_text text,
    action_url text,
    action text check (action in ('confirm', 'pay', 'verify_bank')),
    settled_at timestamptz,
    means text,
    claim text check (claim in ('unchecked', 'checked')),
    -- What names money that somebody else took: the bank's or the cashier's own reference, recorded once for ever.
    reference text check (reference <> ''),
    -- What goes back of it, or went: never more than came.
    refunded_minor bigint not null default 0 check (refunded_minor between 0 and received_minor),
    created_at timestamptz not null,
    primary key (tenant, id),
    unique (tenant, payment, position),
    unique (tenant, reference),
    -- One handle and one charge belong to one leg, for ever.
    unique (tenant, account, provider_ref),
    unique (tenant, account, session_ref),
    unique (tenant, account, charge_ref),
    foreign key (tenant, payment) references payment,
    foreign key (tenant, wallet) references wallet,
    foreign key (tenant, method) references method,
    foreign key (tenant, account) references provider_account,
    check ((kind = 'credit') = (wallet is not null)),
    check ((kind = 'credit') = (quantity > 0)),
    check ((kind = 'provider') = (account is not null)),
    check (claim is null or kind = 'provider'),
    check (reference is null or kind = 'external'),
    check ((settled_at is not null) = (status in ('settled', 'returned')))
);

-- What a sweep looks at again, however old it is.
create index leg_open on leg (tenant, account)
where kind = 'provider' and status in ('processing', 'requires_action')
    and (provider_ref is not null or session_ref is not null);

create table allocation (
    tenant text not null,
    leg text not null,
    invoice text not null,
    minor bigint not null check (minor > 0),
    collecting boolean not null default false,
    primary key (tenant, leg, invoice),
    foreign key (tenant, leg) references leg,
    foreign key (tenant, invoice) references invoice
);

-- One collector per invoice: at most one provider leg that may still capture.
create unique index allocation_one_collector on allocation (tenant, invoice) where collecting;
create index allocation_of_invoice on allocation (tenant, invoice);

create function is_collecting(kind text, status text) returns boolean
language sql immutable
return kind = 'provider' and status in ('processing', 'requires_action');

create function allocation_follows_leg() returns trigger
language plpgsql as $$
begin
    update allocation set collecting = is_collecting(new.kind, new.status)
    where tenant = new.tenant and leg = new.id and collecting <> is_collecting(new.kind, new.status);
    return null;
end $$;

create trigger leg_moves_allocation after update of status on leg
for each row when (is_collecting(old.kind, old.status) <> is_collecting(new.kind, new.status))
execute function allocation_follows_leg();

create function allocation_starts() returns trigger
language plpgsql as $$
begin
    select is_collecting(kind, status) into strict new.collecting from leg where tenant = new.tenant and id = new.leg;
    return new;
end $$;

create trigger allocation_starts before insert on allocation
for each row execute function allocation_starts();

-- A payment that its payer contests: a mirror of the provider's object, whose word is kept as it is said. Where it
-- stands for us is `status`. `withdrawn_minor` is what the provider took and has not given back, `lost_minor` what was
-- booked as gone for good.
create table dispute (
    tenant text not null,
    id text not null,
    customer text not null,
    account text not null,
    payment text not null,
    leg text not null,
    provider_ref text not null,
    provider_status text not null,
    status text not null,
    amount_minor bigint not null check (amount_minor > 0),
    currency text not null check (currency ~ '^[A-Z]{3}$'),
    reason text not null default '',
    withdrawn_minor bigint not null default 0,
    fee_minor bigint not null default 0,
    lost_minor bigint not null default 0 check (lost_minor in (0, amount_minor)),
    -- Whether the wallets that it reaches may not be spent from at all while it is open.
    blocks boolean not null default false,
    evidence_due_at timestamptz,
    opened_at timestamptz not null,
    closed_at timestamptz,
    primary key (tenant, id),
    unique (tenant, account, provider_ref),
    foreign key (tenant, customer) references customer,
    foreign key (tenant, account) references provider_account,
    foreign key (tenant, payment) references payment,
    foreign key (tenant, leg) references leg,
    check ((closed_at is null) = (status in ('inquiry', 'open')))
);

create index dispute_of_leg on dispute (tenant, leg);
create index dispute_of_customer on dispute (tenant, customer, opened_at);

create table hold (
    tenant text not null,
    id text not null,
    leg text not null,
    wallet text not null,
    grant_lot text not null,
    quantity bigint not null check (quantity > 0),
    minor bigint not null check (minor > 0 or dispute is not null and minor = 0),
    status text not null,
    released_minor bigint not null default 0 check (released_minor >= 0),
    -- What of `minor` was refunded since; the same share of its quantity and cost basis went back to the lot.
    returned_minor bigint not null default 0 check (returned_minor between 0 and minor),
    -- The dispute of the leg that it waits for: such a hold pays nothing, and has no end of its own.
    dispute text,
    primary key (tenant, id),
    foreign key (tenant, leg) references leg,
    foreign key (tenant, dispute) references dispute,
    foreign key (tenant, wallet) references wallet,
    foreign key (tenant, grant_lot) references grant_lot
);

create unique index hold_of_leg on hold (tenant, leg, grant_lot) where dispute is null;
create unique index hold_of_dispute on hold (tenant, dispute, grant_lot) where dispute is not null and status = 'open';
create index hold_by_leg on hold (tenant, leg);

-- ---------------------------------------------------------------------------------------------------------------------
-- What goes back: refunds, credit notes
-- ---------------------------------------------------------------------------------------------------------------------

create table refund (
    tenant text not null,
    id text not null,
    customer text not null,
    account text not null,
    -- A leg's, or a purchase's that somebody else collected.
    payment text,
    leg text,
    purchase text,
    destination text not null check (destination in ('source', 'balance', 'wallet', 'manual')),
    made_by text not null check (made_by in ('us', 'provider')),
    status text not null,
    amount_minor bigint not null check (amount_minor > 0),
    currency text not null check (currency ~ '^[A-Z]{3}$'),
    -- What it is made of, line by line and lot by lot, so that one which comes back is undone exactly.
    given jsonb not null,
    reason text check (reason in ('requested_by_customer', 'duplicate', 'fraudulent', 'other')),
    provider_ref text,
    wallet text,
    grant_lot text,
    -- The first of those that one command asked for.
    together text,
    succeeded_at timestamptz,
    ended_at timestamptz,
    failure_code text,
    failure_text text,
    created_at timestamptz not null,
    primary key (tenant, id),
    -- An object of the provider's is one refund, for ever.
    unique (tenant, account, provider_ref),
    foreign key (tenant, customer) references customer,
    foreign key (tenant, account) references provider_account,
    foreign key (tenant, payment) references payment,
    foreign key (tenant, leg) references leg,
    foreign key (tenant, purchase) references purchase,
    foreign key (tenant, wallet) references wallet,
    foreign key (tenant, grant_lot) references grant_lot,
    check ((leg is null) = (payment is null) and (leg is not null or purchase is not null)),
    check (made_by = 'us' or provider_ref is not null),
    check ((status = 'succeeded') <= (succeeded_at is not null)),
    check ((status in ('failed', 'canceled')) = (ended_at is not null))
);

create index refund_of_leg on refund (tenant, leg) where leg is not null;
create index refund_of_purchase on refund (tenant, purchase) where purchase is not null;
create index refund_of_customer on refund (tenant, customer, id);
-- What a sweep looks at again, however old it is.
create index refund_open on refund (tenant, account) where status = 'processing';

-- A leg says how much of it goes back or went, and its check bounds that by what it received. That it says so truly is
-- checked when a transaction ends, whatever program wrote.
create function refunds_are_counted() returns trigger
language plpgsql as $$
declare
    counted bigint;
    refunds bigint;
    which text;
begin
    if tg_table_name = 'leg' then
        which := new.id;
    else
        which := new.leg;
    end if;
    select refunded_minor into counted from leg where tenant = new.tenant and id = which;
    select coalesce(sum(amount_minor), 0) into refunds from refund
    where tenant = new.tenant and leg = which and status in ('processing', 'succeeded');
    if counted <> refunds then
        raise exception 'leg % says that % go back, its refunds come to %', which, counted, refunds
            using errcode = 'check_violation', constraint = 'refunds_are_counted', table = 'leg';
    end if;
    return null;
end $$;

create constraint trigger refund_is_counted after insert or update of status, amount_minor on refund
deferrable initially deferred for each row execute function refunds_are_counted();
create constraint trigger leg_counts_refunds after update of refunded_minor on leg
deferrable initially deferred for each row execute function refunds_are_counted();

-- A document that reduces what an invoice bills. What of it came off the debt, and what is the customer's balance.
create table credit_note (
    tenant text not null,
    id text not null,
    customer text not null,
    invoice text not null,
    number text not null,
    currency text not null check (currency ~ '^[A-Z]{3}$'),
    total_minor bigint not null check (total_minor > 0),
    tax_minor bigint not null check (tax_minor between 0 and total_minor),
    lines jsonb not null,
    reduced_minor bigint not null check (reduced_minor >= 0),
    balance_minor bigint not null check (balance_minor >= 0),
    reason text not null,
    created_at timestamptz not null,
    primary key (tenant, id),
    unique (tenant, number),
    foreign key (tenant, customer) references customer,
    foreign key (tenant, invoice) references invoice,
    check (reduced_minor + balance_minor = total_minor)
);

create index credit_note_of_invoice on credit_note (tenant, invoice);
create index credit_note_of_customer on credit_note (tenant, customer, id);

-- ---------------------------------------------------------------------------------------------------------------------
-- The journal
-- ---------------------------------------------------------------------------------------------------------------------

-- Written by the program from the chart of accounts in core. Do not edit by hand.
-- account kinds begin
create function is_money_account(account text) returns boolean
language sql immutable
return split_part(account, ':', 1) = any (array['bad_debt', 'bank', 'breakage', 'clearing', 'clearing_external', 'customer_balance', 'customer_balance_provider', 'deferred_revenue', 'dispute_losses', 'disputed', 'exchange', 'fee_revenue', 'opening', 'promotion_cost', 'provider_fees', 'receivable', 'refund_due', 'revenue', 'suspense', 'tax_payable']);

create function is_service_account(account text) returns boolean
language sql immutable
return split_part(account, ':', 1) = any (array['debt', 'expired', 'grant', 'issued', 'overage_written_off', 'used']);
-- account kinds end

-- A posting moves a positive amount of one unit from `credit` to `debit`. An entry is the set of postings with one key;
-- there is no entry without postings, because there is no table of entries. Account names carry kind and owner; unit and
-- tenant stand beside them and so are shared by both legs. No foreign key: the hottest table is proved by `verify`.
create table posting (
    tenant text not null,
    entry text not null,
    n smallint not null,
    of_n smallint not null,
    debit text not null,
    credit text not null,
    unit text not null,
    amount bigint not null check (amount > 0),
    subject text not null,
    decision text not null,
    occurred_at timestamptz not null,
    effective_at timestamptz not null,
    recorded_at timestamptz not null,
    position bigint generated always as identity,
    primary key (tenant, entry, n),
    check (n between 1 and of_n),
    check (debit <> credit),
    check (
        unit ~ '^[A-Z]{3}$' and is_money_account(debit) and is_money_account(credit)
        or unit ~ '^[a-z][a-z0-9-]*$' and is_service_account(debit) and is_service_account(credit)
    )
);

create index posting_by_debit on posting (tenant, debit, unit);
create index posting_by_credit on posting (tenant, credit, unit);
create index posting_by_subject on posting (tenant, subject);

-- An entry is inserted whole, in one statement, or not at all: so it is never empty, never grows, and a late posting
-- is refused by the key, also within savepoints and in later transactions.
create function entry_is_whole() returns trigger
language plpgsql as $$
declare
    broken text;
begin
    select entry into broken
    from added
    group by tenant, entry
    having count(*) <> min(of_n) or min(of_n) <> max(of_n) or min(subject) <> max(subject)
        or min(decision) <> max(decision) or min(occurred_at) <> max(occurred_at)
        or min(effective_at) <> max(effective_at) or min(recorded_at) <> max(recorded_at)
    limit 1;
    if found then
        raise exception 'entry % is not whole', broken using errcode = 'check_violation', constraint = 'entry_is_whole';
    end if;
    return null;
end $$;

create trigger entry_is_whole after insert on posting
referencing new table as added
for each statement execute function entry_is_whole();

-- A month that is closed takes no entry any more: nothing is effective in it that was not there when it was closed.
-- `figures` are its trial balance and roll-forward as they were then, so that a change would show.
create table closed_month (
    tenant text not null references tenant,
    month text not null check (month ~ '^[0-9]{4}-(0[1-9]|1[0-2])$'),
    ends_at timestamptz not null,
    figures jsonb not null,
    closed_at timestamptz not null check (closed_at >= ends_at),
    primary key (tenant, month),
    unique (tenant, ends_at)
);

-- Who posts holds the tenant's months open until its transaction ends, and who closes one waits for it. An entry that
-- comes too late all the same is a race that was lost: its transaction is done again, and posts to the open month.
create function months_are_open(since timestamptz, entry text) returns void
language plpgsql as $$
begin
    perform pg_advisory_xact_lock_shared(20261031, hashtext(current_setting('counterfoil.tenant', true)));
    if exists (
        select from closed_month
        where tenant = current_setting('counterfoil.tenant', true) and ends_at > since
    ) then
        raise exception 'entry % is effective at %, in a closed month', entry, since
            using errcode = 'serialization_failure', constraint = 'months_are_open', table = 'closed_month';
    end if;
end $$;

create function posting_in_open_month() returns trigger
language plpgsql as $$
begin
    perform months_are_open(min(effective_at), min(entry)) from added having count(*) > 0;
    return null;
end $$;

create trigger posting_in_open_month after insert on posting
referencing new table as added
for each statement execute function posting_in_open_month();

create function journal_only_grows() returns trigger
language plpgsql as $$
begin
    raise exception 'the journal only grows: % on %', tg_op, tg_table_name
        using errcode = 'restrict_violation', constraint = 'journal_only_grows';
end $$;

create trigger posting_only_grows before update or delete or truncate on posting
for each statement execute function journal_only_grows();

create trigger closed_month_only_grows before update or delete or truncate on closed_month
for each statement execute function journal_only_grows();

create trigger document_only_grows before update or delete or truncate on document
for each statement execute function journal_only_grows();

-- The lean half of the journal: one two-legged row per spend and lot. It carries its own decision (key, request, rule,
-- flush, balance after it), so there is neither an inbox row nor a decision beside it. A spend's id is made from its
-- key, so that the primary key is what makes a spend happen once. No foreign key, and no index that a spend does not
-- need: the hottest table is proved by `verify`.
create table draw (
    tenant text not null,
    spend text not null,
    n smallint not null check (n between 1 and of_n),
    of_n smallint not null,
    debit text not null check (split_part(debit, ':', 1) in ('grant', 'debt', 'overage_written_off')),
    credit text not null default 'used' check (credit = 'used'),
    unit text not null,
    amount bigint not null check (amount > 0),
    wallet text not null,
    key text not null,
    request_hash uuid not null,
    rule text not null,
    flush text not null,
    balance_after bigint not null,
    feature text,
    -- The pools that it could draw on, in their order, with a space between.
    pools text,
    hold text,
    occurred_at timestamptz not null,
    recorded_at timestamptz not null,
    -- Counted with the postings, so that the two halves have one order.
    position bigint not null default nextval('posting_position_seq'),
    primary key (tenant, spend, n)
);

create index draw_of_wallet on draw (tenant, wallet, position);

-- A draw is effective when it is recorded.
create function draw_in_open_month() returns trigger
language plpgsql as $$
begin
    perform months_are_open(min(recorded_at), min(spend)) from added having count(*) > 0;
    return null;
end $$;

create trigger draw_in_open_month after insert on draw
referencing new table as added
for each statement execute function draw_in_open_month();

create trigger draw_only_grows before update or delete or truncate on draw
for each statement execute function journal_only_grows();

-- How much had been drawn of a wallet up to a draw, every so many of them: a cache, so that no question about a balance
-- reads a wallet's whole history. `recorded_at` is the latest of the draws up to there.
create table draw_mark (
    tenant text not null,
    wallet text not null,
    position bigint not null,
    drawn bigint not null,
    recorded_at timestamptz not null,
    primary key (tenant, wallet, position)
);

create index draw_mark_by_time on draw_mark (tenant, wallet, recorded_at, position);

-- Credits reserved for a use whose size is not known yet: what each lot reserves of it stands in the row. No foreign key,
-- as with draws: `verify` proves that what lots say is held is what open holds reserve.
create table spend_hold (
    tenant text not null,
    id text not null,
    key text not null,
    request_hash uuid not null,
    wallet text not null,
    unit text not null,
    amount bigint not null check (amount > 0),
    lots text[] not null,
    shares bigint[] not null check (cardinality(shares) = cardinality(lots)),
    feature text,
    pools text,
    rule text not null,
    status text not null,
    settled bigint check (settled >= 0),
    spend text,
    flush text not null,
    expires_at timestamptz not null,
    created_at timestamptz not null,
    ended_at timestamptz,
    primary key (tenant, id),
    check ((status = 'open') = (ended_at is null)),
    check ((status = 'settled') = (settled is not null)),
    check (spend is null or settled > 0)
);

create index spend_hold_of_wallet on spend_hold (tenant, wallet, created_at, id);
create index spend_hold_by_expiry on spend_hold (tenant, expires_at) where status = 'open';

-- The whole journal: both halves, in one shape. A spend is an entry that decided itself. Read as the role that asks.
create view journal with (security_invoker = true) as
select tenant, entry, n, of_n, debit, credit, unit, amount, subject, decision, occurred_at, effective_at, recorded_at,
    position
from posting
union all
select tenant, 'spend:' || spend, n, of_n, debit, credit, unit, amount, spend, spend, occurred_at, recorded_at,
    recorded_at, position
from draw;

-- ---------------------------------------------------------------------------------------------------------------------
-- The road: inbox, decisions, orders, and what leaves
-- ---------------------------------------------------------------------------------------------------------------------

create table inbox (
    tenant text not null references tenant,
    id text not null,
    source text not null check (source in ('webhook', 'reply', 'poll', 'api', 'timer', 'operator')),
    kind text not null,
    status text not null,
    account text,
    -- What makes this news itself: the provider's event, the order and attempt, the caller's key, the timer.
    identity text not null,
    subject_kind text,
    subject_ref text,
    customer text,
    detail jsonb,
    occurred_at timestamptz not null,
    received_at timestamptz not null,
    deliveries int not null default 1,
    last_delivered_at timestamptz not null,
    attempts int not null default 0,
    waiting_for text,
    primary key (tenant, id),
    unique (tenant, identity)
);

create index inbox_undecided on inbox (tenant, received_at) where status in ('received', 'waiting');
create index inbox_by_subject on inbox (tenant, subject_ref);
create index inbox_by_time on inbox (tenant, received_at, id);

-- Raw bodies may hold personal data: kept apart, erased by age. The usual few kilobytes stay in the row,
-- uncompressed: squeezing them and moving them out costs more than storing all the rest of a webhook.
-- `customer_ref` is the provider's id of the customer that a body names, so that erasing one finds it.
create table raw_body (
    tenant text not null,
    inbox text not null,
    body bytea not null,
    customer_ref text,
    primary key (tenant, inbox),
    foreign key (tenant, inbox) references inbox
) with (toast_tuple_target = 8160);

create index raw_body_of_customer on raw_body (tenant, customer_ref) where customer_ref is not null;

-- The answer to a command: the first one, and once its subject rests the final one, which never changes again, but for
-- personal fields that are erased.
create table command (
    tenant text not null,
    inbox text not null,
    request_hash bytea not null,
    awaits text,
    first_status int not null,
    first_body text not null,
    final_status int,
    final_body text,
    erased_at timestamptz,
    primary key (tenant, inbox),
    foreign key (tenant, inbox) references inbox,
    check ((final_status is null) = (final_body is null))
);

create index command_awaiting on command (tenant, awaits) where final_body is null and awaits is not null;

create table decision (
    tenant text not null,
    id text not null,
    inbox text not null,
    rule text not null,
    outcome text not null check (outcome in ('applied', 'no_effect', 'parked', 'refused')),
    reason text not null,
    sentence text not null,
    customer text,
    inputs jsonb not null,
    effects jsonb not null,
    decided_at timestamptz not null,
    primary key (tenant, id),
    -- Every inbox row ends with exactly one decision.
    unique (tenant, inbox),
    foreign key (tenant, inbox) references inbox
);

create index decision_by_time on decision (tenant, decided_at, id);
create index decision_by_customer on decision (tenant, customer, decided_at, id);

create table decision_about (
    tenant text not null,
    subject text not null,
    decision text not null,
    primary key (tenant, subject, decision),
    foreign key (tenant, decision) references decision
);

create trigger decision_only_grows before update or delete or truncate on decision
for each statement execute function journal_only_grows();

create trigger decision_about_only_grows before update or delete or truncate on decision_about
for each statement execute function journal_only_grows();

-- What we know of the provider's objects. Accepts whatever the provider says: no guard, status as text.
create table provider_object (
    tenant text not null,
    account text not null,
    ref text not null,
    kind text not null,
    -- Observation numbers: the last one handed out, and the one whose result is applied.
    observed bigint not null default 0,
    applied bigint not null default 0,
    status text,
    fact jsonb,
    applied_at timestamptz,
    primary key (tenant, account, ref),
    check (applied <= observed)
);

-- Every movement of our money at the provider, as it was read there. A fact: it is never changed, and is there once.
-- `presented` is what a payer was asked for or given back, where that was in another currency.
create table balance_transaction (
    tenant text not null,
    account text not null,
    ref text not null,
    kind text not null,
    source text,
    intent text,
    amount_minor bigint not null,
    fee_minor bigint not null,
    net_minor bigint not null,
    currency text not null check (currency ~ '^[A-Z]{3}$'),
    presented_minor bigint,
    presented_currency text check (presented_currency ~ '^[A-Z]{3}$'),
    occurred_at timestamptz not null,
    available_at timestamptz not null,
    seen_at timestamptz not null,
    position bigint generated always as identity,
    primary key (tenant, account, ref),
    foreign key (tenant, account) references provider_account,
    check (net_minor = amount_minor - fee_minor),
    check ((presented_minor is null) = (presented_currency is null))
);

create index balance_transaction_of_source on balance_transaction (tenant, account, source);
create index balance_transaction_by_time on balance_transaction (tenant, account, occurred_at);
create index balance_transaction_by_position on balance_transaction (tenant, account, position);

create trigger balance_transaction_only_grows before update or delete or truncate on balance_transaction
for each statement execute function journal_only_grows();

-- Money that goes from the provider to our bank, and perhaps back: a mirror of the provider's object. Below zero it is
-- fetched from the bank. `bank_minor` is what of it is booked as being there.
create table payout (
    tenant text not null,
    id text not null,
    account text not null,
    provider_ref text not null,
    status text not null,
    amount_minor bigint not null check (amount_minor <> 0),
    currency text not null check (currency ~ '^[A-Z]{3}$'),
    automatic boolean not null,
    arrives_at timestamptz,
    failure_code text,
    bank_minor bigint not null default 0 check (bank_minor in (0, amount_minor)),
    created_at timestamptz not null,
    primary key (tenant, id),
    unique (tenant, account, provider_ref),
    foreign key (tenant, account) references provider_account
);

create index payout_by_time on payout (tenant, created_at, id);

-- Which balance transactions a payout paid out, where the provider says so. A fact, like them.
create table payout_item (
    tenant text not null,
    payout text not null,
    ref text not null,
    primary key (tenant, payout, ref),
    foreign key (tenant, payout) references payout
);

create table provider_order (
    tenant text not null,
    id text not null,
    account text not null,
    customer text not null,
    subject text not null,
    verb text not null,
    instruction jsonb not null,
    status text not null,
    try_no int not null check (try_no > 0),
    why text,
    queued_at timestamptz not null,
    sent_at timestamptz,
    primary key (tenant, id),
    foreign key (tenant, account) references provider_account,
    foreign key (tenant, customer) references customer
);

create unique index provider_order_once on provider_order (tenant, subject, verb)
where verb not in ('CancelIntent', 'ExpireCheckout', 'CancelSetup', 'UpdateCustomer', 'AddInvoiceLine');
-- A draft may have several lines, a fee beside the credits; each is added once.
create unique index provider_order_line_once on provider_order (tenant, subject, (instruction ->> 'line'))
where verb = 'AddInvoiceLine';
create index provider_order_of_subject on provider_order (tenant, subject);
create index provider_order_of_customer on provider_order (tenant, customer);
create index provider_order_open on provider_order (tenant, queued_at) where status in ('queued', 'sent', 'unknown');

create table event (
    tenant text not null,
    id text not null,
    key text not null,
    kind text not null,
    -- Null for what concerns the organization itself, which has a sequence of its own.
    customer text,
    sequence bigint not null check (sequence > 0),
    subject text not null,
    data jsonb not null,
    decision text not null,
    created_at timestamptz not null,
    position bigint generated always as identity,
    primary key (tenant, id),
    unique (tenant, key),
    unique nulls not distinct (tenant, customer, sequence),
    foreign key (tenant, customer) references customer
);

create index event_by_position on event (tenant, position);

-- Where a host application wants to be told of events: our own webhooks, out. No kinds are all kinds.
create table hook_endpoint (
    tenant text not null references tenant,
    id text not null,
    url text not null,
    description text not null default '',
    kinds text[] not null,
    payload text not null check (payload in ('full', 'thin')),
    schedule text not null,
    status text not null,
    -- Why it was switched off, and since when nothing has come through.
    why text,
    failing_since timestamptz,
    -- Every event after this position that it asks for has its delivery.
    from_position bigint not null check (from_position >= 0),
    created_at timestamptz not null,
    primary key (tenant, id),
    check ((status = 'disabled') = (why is not null))
);

-- What its deliveries are signed with. Two are valid at once while one takes the place of the other.
create table hook_secret (
    tenant text not null,
    id text not null,
    endpoint text not null,
    box bytea not null,
    created_at timestamptz not null,
    ends_at timestamptz,
    primary key (tenant, id),
    foreign key (tenant, endpoint) references hook_endpoint
);

create unique index hook_secret_one_lasts on hook_secret (tenant, endpoint) where ends_at is null;

-- One event on its way to one endpoint: a single row for ever, however often it is sent.
create table delivery (
    tenant text not null,
    id text not null,
    endpoint text not null,
    event text not null,
    status text not null,
    -- All tries, and those since it was last asked for.
    tries int not null default 0 check (tries >= 0),
    in_round int not null default 0 check (in_round between 0 and tries),
    next_at timestamptz,
    delivered_at timestamptz,
    created_at timestamptz not null,
    primary key (tenant, id),
    unique (tenant, endpoint, event),
    foreign key (tenant, endpoint) references hook_endpoint,
    foreign key (tenant, event) references event,
    check ((status = 'pending') = (next_at is not null)),
    check (status <> 'delivered' or delivered_at is not null)
);

create index delivery_of_event on delivery (tenant, event);
create index delivery_open on delivery (tenant, endpoint, status, id) where status <> 'delivered';

-- What was sent, the same bytes each time. It may hold personal data: it is dropped by its age, and with its customer.
create table delivery_body (
    tenant text not null,
    delivery text not null,
    body text not null,
    customer text,
    primary key (tenant, delivery),
    foreign key (tenant, delivery) references delivery
);

create index delivery_body_of_customer on delivery_body (tenant, customer) where customer is not null;

-- One try of a delivery. Written before it is sent: without an outcome nobody knows whether it arrived.
create table delivery_try (
    tenant text not null,
    delivery text not null,
    n int not null check (n > 0),
    started_at timestamptz not null,
    ended_at timestamptz,
    outcome text check (outcome in ('delivered', 'refused', 'no_reply', 'not_sent', 'unknown')),
    status_code int,
    why text,
    duration_ms int check (duration_ms >= 0),
    -- The first bytes of what was answered, which is somebody else's text: dropped with the body.
    reply bytea,
    primary key (tenant, delivery, n),
    foreign key (tenant, delivery) references delivery,
    check ((ended_at is null) = (outcome is null))
);

create table review_case (
    tenant text not null,
    id text not null,
    question text not null,
    subject text not null,
    detail text not null,
    status text not null,
    customer text,
    opened_at timestamptz not null,
    resolved_at timestamptz,
    -- What a person said: in one of a few words, and in their own, which may be personal and can be erased.
    resolution text,
    note text,
    primary key (tenant, id),
    unique (tenant, question, subject),
    check ((status = 'resolved') = (resolved_at is not null) and (resolved_at is null) = (resolution is null))
);

create index review_case_of_subject on review_case (tenant, subject);
create index review_case_of_customer on review_case (tenant, customer) where customer is not null;

-- ---------------------------------------------------------------------------------------------------------------------
-- What people are told: messages
-- ---------------------------------------------------------------------------------------------------------------------

-- A message to a customer or to the operators, committed with what caused it. `key` makes it happen once, for ever.
-- `data` holds ids, amounts and codes only; what is personal stands apart.
create table message (
    tenant text not null,
    id text not null,
    key text not null,
    template text not null,
    version int not null check (version > 0),
    audience text not null check (audience in ('customer', 'operator')),
    customer text,
    subject text not null,
    decision text not null,
    data jsonb not null,
    locale text,
    status text not null,
    -- How it left: shown in the inbox here, or handed to a mail server; and how that went, in a code.
    channel text check (channel in ('inbox', 'smtp')),
    result text,
    tries int not null check (tries >= 0),
    resends int not null check (resends >= 0),
    created_at timestamptz not null,
    tried_at timestamptz,
    sent_at timestamptz,
    primary key (tenant, id),
    unique (tenant, key),
    foreign key (tenant, customer) references customer,
    check ((audience = 'customer') <= (customer is not null)),
    check ((status = 'sent') <= (sent_at is not null and channel is not null))
);

create index message_of_customer on message (tenant, customer, id) where customer is not null;
create index message_of_subject on message (tenant, subject);

-- The rendered words and the address: personal, kept apart, erased with the customer.
create table message_content (
    tenant text not null,
    message text not null,
    address text,
    subject_line text not null,
    body_text text not null,
    body_html text not null,
    rendered_at timestamptz not null,
    primary key (tenant, message),
    foreign key (tenant, message) references message
);

-- How payments of our invoices that were refused are tried again: versions, of which the last one holds.
create table dunning_policy (
    tenant text not null references tenant,
    version int not null check (version > 0),
    terms jsonb not null,
    created_at timestamptz not null,
    primary key (tenant, version)
);

create table sweep (
    tenant text not null,
    account text not null,
    cursor text,
    ran_at timestamptz not null,
    report jsonb not null,
    primary key (tenant, account),
    foreign key (tenant, account) references provider_account
);

-- Reconciliation runs: who asked for everything to be looked at again, how far that is, and what came of it. A run
-- decides nothing: what it finds becomes news, and goes the road of all news.
create table reconcile_run (
    tenant text not null references tenant,
    id text not null,
    scope text not null check (scope in ('open', 'since', 'all')),
    since timestamptz,
    asked_by text not null check (asked_by in ('person', 'schedule')),
    status text not null,
    -- How many objects of the provider were compared, how many of ours were looked at, and what came of that.
    compared int not null default 0 check (compared >= 0),
    visited int not null default 0 check (visited >= 0),
    changed int not null default 0 check (changed >= 0),
    late int not null default 0 check (late >= 0),
    anomalies int not null default 0 check (anomalies >= 0),
    asked int not null default 0 check (asked >= 0),
    undecided int not null default 0 check (undecided >= 0),
    unreached text[] not null default '{}',
    created_at timestamptz not null,
    started_at timestamptz,
    ended_at timestamptz,
    primary key (tenant, id),
    check ((scope = 'since') = (since is not null)),
    check ((status = 'queued') = (started_at is null)),
    check ((status in ('done', 'unfinished')) = (ended_at is not null))
);

create index reconcile_run_open on reconcile_run (tenant, scope) where ended_at is null;

-- What a run had looked at: the news it made, why, and since when there is trouble.
create table reconcile_visit (
    tenant text not null,
    run text not null,
    inbox text not null,
    why text not null check (why in ('open', 'late', 'unknown', 'differs', 'anomaly')),
    ref text not null,
    subject text,
    since timestamptz not null,
    primary key (tenant, run, inbox),
    foreign key (tenant, run) references reconcile_run,
    foreign key (tenant, inbox) references inbox
);

-- What retention has dropped of a tenant's since the beginning.
create table upkeep (
    tenant text primary key references tenant,
    ran_at timestamptz not null,
    bodies_dropped bigint not null check (bodies_dropped >= 0),
    keys_dropped bigint not null check (keys_dropped >= 0)
);

-- The one table workers claim from. It is outside row-level security and holds no data: only what is due, for whom.
-- `token` grows with every claim; a write under an old token is refused, so that a worker that slept past its lease
-- can't write over the one that took its place.
create table work (
    queue text not null check (queue in ('inbox', 'order', 'sweep', 'upkeep', 'revenue', 'reconcile', 'delivery', 'mail', 'receipt')),
    tenant text not null,
    id text not null,
    due_at timestamptz not null,
    attempts int not null default 0,
    -- How often working on it failed through no fault of the provider's or the database's.
    failures int not null default 0,
    token bigint not null default 0,
    leased_until timestamptz,
    primary key (queue, tenant, id)
);

create index work_due on work (queue, due_at);

-- The names of the master keys that secrets here are sealed under, so that a process with another one is told so when
-- it starts. Holds no data of a tenant, and nothing of a key.
create table master_key (
    name text primary key,
    first_used_at timestamptz not null
);

-- How far business time runs ahead of wall time. Only test mode moves it. Holds no data of a tenant.
create table business_clock (
    one boolean primary key default true check (one),
    ahead interval not null
);

-- ---------------------------------------------------------------------------------------------------------------------
-- Lifecycles: written by the program from the tables in core. Do not edit by hand.
-- ---------------------------------------------------------------------------------------------------------------------
-- lifecycle guards begin
alter table invoice add constraint invoice_states check (status in ('draft', 'open', 'paid', 'uncollectible', 'void'));

create function invoice_moves() returns trigger
language plpgsql as $$
begin
    if (old.status, new.status) not in (
        ('draft', 'open'),
        ('draft', 'void'),
        ('open', 'paid'),
        ('open', 'uncollectible'),
        ('open', 'void'),
        ('paid', 'open'),
        ('uncollectible', 'paid'),
        ('uncollectible', 'void')
    ) then
        raise exception 'invoice % may not go from % to %', old.id, old.status, new.status
            using errcode = 'check_violation', constraint = 'invoice_moves', table = 'invoice';
    end if;
    return new;
end $$;

create trigger invoice_moves before update of status on invoice
for each row when (old.status <> new.status)
execute function invoice_moves();

alter table payment add constraint payment_states check (status in ('canceled', 'failed', 'pending', 'processing', 'requires_action', 'succeeded'));

create function payment_moves() returns trigger
language plpgsql as $$
begin
    if (old.status, new.status) not in (
        ('canceled', 'succeeded'),
        ('failed', 'canceled'),
        ('failed', 'processing'),
        ('failed', 'requires_action'),
        ('failed', 'succeeded'),
        ('pending', 'canceled'),
        ('pending', 'failed'),
        ('pending', 'processing'),
        ('pending', 'requires_action'),
        ('pending', 'succeeded'),
        ('processing', 'canceled'),
        ('processing', 'failed'),
        ('processing', 'requires_action'),
        ('processing', 'succeeded'),
        ('requires_action', 'canceled'),
        ('requires_action', 'failed'),
        ('requires_action', 'processing'),
        ('requires_action', 'succeeded'),
        ('succeeded', 'failed')
    ) then
        raise exception 'payment % may not go from % to %', old.id, old.status, new.status
            using errcode = 'check_violation', constraint = 'payment_moves', table = 'payment';
    end if;
    return new;
end $$;

create trigger payment_moves before update of status on payment
for each row when (old.status <> new.status)
execute function payment_moves();

alter table leg add constraint leg_states check (status in ('canceled', 'processing', 'refused', 'released', 'requires_action', 'reserved', 'returned', 'settled', 'waiting'));

create function leg_moves() returns trigger
language plpgsql as $$
begin
    if (old.status, new.status) not in (
        ('canceled', 'settled'),
        ('processing', 'canceled'),
        ('processing', 'refused'),
        ('processing', 'requires_action'),
        ('processing', 'settled'),
        ('refused', 'canceled'),
        ('refused', 'processing'),
        ('refused', 'requires_action'),
        ('refused', 'settled'),
        ('requires_action', 'canceled'),
        ('requires_action', 'processing'),
        ('requires_action', 'refused'),
        ('requires_action', 'settled'),
        ('reserved', 'released'),
        ('reserved', 'settled'),
        ('settled', 'returned'),
        ('waiting', 'canceled'),
        ('waiting', 'processing'),
        ('waiting', 'settled')
    ) then
        raise exception 'leg % may not go from % to %', old.id, old.status, new.status
            using errcode = 'check_violation', constraint = 'leg_moves', table = 'leg';
    end if;
    return new;
end $$;

create trigger leg_moves before update of status on leg
for each row when (old.status <> new.status)
execute function leg_moves();

alter table provider_order add constraint provider_order_states check (status in ('canceled', 'done', 'queued', 'refused', 'sent', 'unknown'));

create function provider_order_moves() returns trigger
language plpgsql as $$
begin
    if (old.status, new.status) not in (
        ('queued', 'canceled'),
        ('queued', 'done'),
        ('queued', 'sent'),
        ('sent', 'done'),
        ('sent', 'queued'),
        ('sent', 'refused'),
        ('sent', 'unknown'),
        ('unknown', 'done'),
        ('unknown', 'refused'),
        ('unknown', 'sent')
    ) then
        raise exception 'provider_order % may not go from % to %', old.id, old.status, new.status
            using errcode = 'check_violation', constraint = 'provider_order_moves', table = 'provider_order';
    end if;
    return new;
end $$;

create trigger provider_order_moves before update of status on provider_order
for each row when (old.status <> new.status)
execute function provider_order_moves();

alter table inbox add constraint inbox_states check (status in ('decided', 'parked', 'received', 'waiting'));

create function inbox_moves() returns trigger
language plpgsql as $$
begin
    if (old.status, new.status) not in (
        ('parked', 'decided'),
        ('parked', 'waiting'),
        ('received', 'decided'),
        ('received', 'parked'),
        ('received', 'waiting'),
        ('waiting', 'decided'),
        ('waiting', 'parked')
    ) then
        raise exception 'inbox % may not go from % to %', old.id, old.status, new.status
            using errcode = 'check_violation', constraint = 'inbox_moves', table = 'inbox';
    end if;
    return new;
end $$;

create trigger inbox_moves before update of status on inbox
for each row when (old.status <> new.status)
execute function inbox_moves();

alter table wallet add constraint wallet_states check (status in ('active', 'closed', 'suspended'));

create function wallet_moves() returns trigger
language plpgsql as $$
begin
    if (old.status, new.status) not in (
        ('active', 'closed'),
        ('active', 'suspended'),
        ('suspended', 'active'),
        ('suspended', 'closed')
    ) then
        raise exception 'wallet % may not go from % to %', old.id, old.status, new.status
            using errcode = 'check_violation', constraint = 'wallet_moves', table = 'wallet';
    end if;
    return new;
end $$;

create trigger wallet_moves before update of status on wallet
for each row when (old.status <> new.status)
execute function wallet_moves();

alter table hold add constraint hold_states check (status in ('open', 'released', 'settled'));

create function hold_moves() returns trigger
language plpgsql as $$
begin
    if (old.status, new.status) not in (
        ('open', 'released'),
        ('open', 'settled')
    ) then
        raise exception 'hold % may not go from % to %', old.id, old.status, new.status
            using errcode = 'check_violation', constraint = 'hold_moves', table = 'hold';
    end if;
    return new;
end $$;

create trigger hold_moves before update of status on hold
for each row when (old.status <> new.status)
execute function hold_moves();

alter table spend_hold add constraint spend_hold_states check (status in ('expired', 'open', 'released', 'settled'));

create function spend_hold_moves() returns trigger
language plpgsql as $$
begin
    if (old.status, new.status) not in (
        ('open', 'expired'),
        ('open', 'released'),
        ('open', 'settled')
    ) then
        raise exception 'spend_hold % may not go from % to %', old.id, old.status, new.status
            using errcode = 'check_violation', constraint = 'spend_hold_moves', table = 'spend_hold';
    end if;
    return new;
end $$;

create trigger spend_hold_moves before update of status on spend_hold
for each row when (old.status <> new.status)
execute function spend_hold_moves();

alter table purchase add constraint purchase_states check (status in ('authorized', 'canceled', 'failed', 'held', 'pending', 'scheduled', 'settled', 'voided'));

create function purchase_moves() returns trigger
language plpgsql as $$
begin
    if (old.status, new.status) not in (
        ('authorized', 'canceled'),
        ('authorized', 'failed'),
        ('authorized', 'held'),
        ('authorized', 'settled'),
        ('canceled', 'held'),
        ('failed', 'authorized'),
        ('failed', 'canceled'),
        ('failed', 'held'),
        ('failed', 'pending'),
        ('held', 'authorized'),
        ('held', 'canceled'),
        ('pending', 'authorized'),
        ('pending', 'canceled'),
        ('pending', 'failed'),
        ('pending', 'held'),
        ('scheduled', 'canceled'),
        ('scheduled', 'pending'),
        ('settled', 'voided')
    ) then
        raise exception 'purchase % may not go from % to %', old.id, old.status, new.status
            using errcode = 'check_violation', constraint = 'purchase_moves', table = 'purchase';
    end if;
    return new;
end $$;

create trigger purchase_moves before update of status on purchase
for each row when (old.status <> new.status)
execute function purchase_moves();

alter table auto_topup add constraint auto_topup_states check (status in ('off', 'on', 'suspended'));

create function auto_topup_moves() returns trigger
language plpgsql as $$
begin
    if (old.status, new.status) not in (
        ('off', 'on'),
        ('on', 'off'),
        ('on', 'suspended'),
        ('suspended', 'off'),
        ('suspended', 'on')
    ) then
        raise exception 'auto_topup % may not go from % to %', old.id, old.status, new.status
            using errcode = 'check_violation', constraint = 'auto_topup_moves', table = 'auto_topup';
    end if;
    return new;
end $$;

create trigger auto_topup_moves before update of status on auto_topup
for each row when (old.status <> new.status)
execute function auto_topup_moves();

alter table pending_line add constraint pending_line_states check (status in ('canceled', 'invoiced', 'waiting'));

create function pending_line_moves() returns trigger
language plpgsql as $$
begin
    if (old.status, new.status) not in (
        ('waiting', 'canceled'),
        ('waiting', 'invoiced')
    ) then
        raise exception 'pending_line % may not go from % to %', old.id, old.status, new.status
            using errcode = 'check_violation', constraint = 'pending_line_moves', table = 'pending_line';
    end if;
    return new;
end $$;

create trigger pending_line_moves before update of status on pending_line
for each row when (old.status <> new.status)
execute function pending_line_moves();

alter table refund add constraint refund_states check (status in ('canceled', 'failed', 'processing', 'succeeded'));

create function refund_moves() returns trigger
language plpgsql as $$
begin
    if (old.status, new.status) not in (
        ('processing', 'canceled'),
        ('processing', 'failed'),
        ('processing', 'succeeded'),
        ('succeeded', 'failed')
    ) then
        raise exception 'refund % may not go from % to %', old.id, old.status, new.status
            using errcode = 'check_violation', constraint = 'refund_moves', table = 'refund';
    end if;
    return new;
end $$;

create trigger refund_moves before update of status on refund
for each row when (old.status <> new.status)
execute function refund_moves();

alter table sales_order add constraint sales_order_states check (status in ('canceled', 'open', 'processing', 'started'));

create function sales_order_moves() returns trigger
language plpgsql as $$
begin
    if (old.status, new.status) not in (
        ('canceled', 'started'),
        ('open', 'canceled'),
        ('open', 'processing'),
        ('open', 'started'),
        ('processing', 'canceled'),
        ('processing', 'open'),
        ('processing', 'started')
    ) then
        raise exception 'sales_order % may not go from % to %', old.id, old.status, new.status
            using errcode = 'check_violation', constraint = 'sales_order_moves', table = 'sales_order';
    end if;
    return new;
end $$;

create trigger sales_order_moves before update of status on sales_order
for each row when (old.status <> new.status)
execute function sales_order_moves();

alter table dispute add constraint dispute_states check (status in ('closed', 'inquiry', 'lost', 'open', 'won'));

create function dispute_moves() returns trigger
language plpgsql as $$
begin
    if (old.status, new.status) not in (
        ('closed', 'inquiry'),
        ('closed', 'lost'),
        ('closed', 'open'),
        ('closed', 'won'),
        ('inquiry', 'closed'),
        ('inquiry', 'lost'),
        ('inquiry', 'open'),
        ('inquiry', 'won'),
        ('lost', 'open'),
        ('lost', 'won'),
        ('open', 'closed'),
        ('open', 'lost'),
        ('open', 'won'),
        ('won', 'lost'),
        ('won', 'open')
    ) then
        raise exception 'dispute % may not go from % to %', old.id, old.status, new.status
            using errcode = 'check_violation', constraint = 'dispute_moves', table = 'dispute';
    end if;
    return new;
end $$;

create trigger dispute_moves before update of status on dispute
for each row when (old.status <> new.status)
execute function dispute_moves();

alter table review_case add constraint review_case_states check (status in ('open', 'resolved'));

create function review_case_moves() returns trigger
language plpgsql as $$
begin
    if (old.status, new.status) not in (
        ('open', 'resolved')
    ) then
        raise exception 'review_case % may not go from % to %', old.id, old.status, new.status
            using errcode = 'check_violation', constraint = 'review_case_moves', table = 'review_case';
    end if;
    return new;
end $$;

create trigger review_case_moves before update of status on review_case
for each row when (old.status <> new.status)
execute function review_case_moves();

alter table reconcile_run add constraint reconcile_run_states check (status in ('deciding', 'done', 'looking', 'queued', 'unfinished'));

create function reconcile_run_moves() returns trigger
language plpgsql as $$
begin
    if (old.status, new.status) not in (
        ('deciding', 'done'),
        ('deciding', 'looking'),
        ('deciding', 'unfinished'),
        ('looking', 'deciding'),
        ('queued', 'looking')
    ) then
        raise exception 'reconcile_run % may not go from % to %', old.id, old.status, new.status
            using errcode = 'check_violation', constraint = 'reconcile_run_moves', table = 'reconcile_run';
    end if;
    return new;
end $$;

create trigger reconcile_run_moves before update of status on reconcile_run
for each row when (old.status <> new.status)
execute function reconcile_run_moves();

alter table hook_endpoint add constraint hook_endpoint_states check (status in ('active', 'deleted', 'disabled', 'paused'));

create function hook_endpoint_moves() returns trigger
language plpgsql as $$
begin
    if (old.status, new.status) not in (
        ('active', 'deleted'),
        ('active', 'disabled'),
        ('active', 'paused'),
        ('disabled', 'active'),
        ('disabled', 'deleted'),
        ('paused', 'active'),
        ('paused', 'deleted'),
        ('paused', 'disabled')
    ) then
        raise exception 'hook_endpoint % may not go from % to %', old.id, old.status, new.status
            using errcode = 'check_violation', constraint = 'hook_endpoint_moves', table = 'hook_endpoint';
    end if;
    return new;
end $$;

create trigger hook_endpoint_moves before update of status on hook_endpoint
for each row when (old.status <> new.status)
execute function hook_endpoint_moves();

alter table delivery add constraint delivery_states check (status in ('delivered', 'failed', 'pending'));

create function delivery_moves() returns trigger
language plpgsql as $$
begin
    if (old.status, new.status) not in (
        ('delivered', 'pending'),
        ('failed', 'pending'),
        ('pending', 'delivered'),
        ('pending', 'failed')
    ) then
        raise exception 'delivery % may not go from % to %', old.id, old.status, new.status
            using errcode = 'check_violation', constraint = 'delivery_moves', table = 'delivery';
    end if;
    return new;
end $$;

create trigger delivery_moves before update of status on delivery
for each row when (old.status <> new.status)
execute function delivery_moves();

alter table message add constraint message_states check (status in ('canceled', 'failed', 'held', 'queued', 'sent'));

create function message_moves() returns trigger
language plpgsql as $$
begin
    if (old.status, new.status) not in (
        ('canceled', 'queued'),
        ('failed', 'queued'),
        ('held', 'canceled'),
        ('held', 'failed'),
        ('held', 'queued'),
        ('held', 'sent'),
        ('queued', 'canceled'),
        ('queued', 'failed'),
        ('queued', 'held'),
        ('queued', 'sent'),
        ('sent', 'queued')
    ) then
        raise exception 'message % may not go from % to %', old.id, old.status, new.status
            using errcode = 'check_violation', constraint = 'message_moves', table = 'message';
    end if;
    return new;
end $$;

create trigger message_moves before update of status on message
for each row when (old.status <> new.status)
execute function message_moves();
-- lifecycle guards end

-- ---------------------------------------------------------------------------------------------------------------------
-- Who may do what
-- ---------------------------------------------------------------------------------------------------------------------

do $$
declare
    t text;
begin
    for t in
        select c.relname from pg_class c
        where c.relnamespace = current_schema()::regnamespace and c.relkind = 'r'
            and c.relname not in (
                'work', 'endpoint_route', 'tenant', 'schema_migration', 'business_clock', 'master_key'
            )
    loop
        execute format('alter table %I enable row level security', t);
        execute format('alter table %I force row level security', t);
        execute format(
            'create policy own_tenant on %I using (tenant = current_setting(''counterfoil.tenant'', true))', t
        );
    end loop;
end $$;


alter table tenant enable row level security;
alter table tenant force row level security;
create policy own_tenant on tenant using (id = current_setting('counterfoil.tenant', true));
-- Whoever owns the schema may list the tenants, nothing of theirs: audits, sweeps and keys start from that list.
create policy listed_by_owner on tenant for select using (current_user <> 'counterfoil_app');

grant usage on schema public to counterfoil_app;
grant select, insert, update on all tables in schema public to counterfoil_app;
grant usage, select on all sequences in schema public to counterfoil_app;
grant delete on work, raw_body, customer_person, command, endpoint_route, master_key to counterfoil_app;
grant delete on hook_secret, delivery_body, message_content to counterfoil_app;
revoke insert, update, delete on tenant, service_unit from counterfoil_app;
grant insert on service_unit to counterfoil_app;
revoke update on posting, draw, decision, decision_about, allocation, invoice_line, event from counterfoil_app;
revoke update on pack_version, purchase_policy, collection_policy, dunning_policy, seller_version from counterfoil_app;
revoke update on document, closed_month from counterfoil_app;
revoke update on balance_transaction, payout_item from counterfoil_app;
grant update (collecting) on allocation to counterfoil_app;
grant update (returned_net_minor, returned_tax_minor) on invoice_line to counterfoil_app;
revoke update on credit_note from counterfoil_app;
