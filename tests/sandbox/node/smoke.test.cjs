// The sandbox as an application in Node sees it: the official SDK, unmodified, against SANDBOX_URL.
"use strict";

const assert = require("node:assert/strict");
const { once } = require("node:events");
const http = require("node:http");
const { text } = require("node:stream/consumers");
const { after, test } = require("node:test");
const Stripe = require("stripe");

const base = new URL(process.env.SANDBOX_URL);
let accounts = 0;

function client(options = {}) {
  accounts += 1;
  const { key = `sk_test_node${accounts}`, ...more } = options;
  return new Stripe(key, {
    protocol: "http",
    host: base.hostname,
    port: base.port,
    maxNetworkRetries: 0,
    timeout: 5000,
    ...more,
  });
}

async function control(method, path, body) {
  const answer = await fetch(new URL(`/_sandbox/${path}`, base), {
    method,
    body: body && JSON.stringify(body),
  });
  assert.equal(answer.status, 200);
  return answer;
}

const charge = { amount: 900, currency: "usd", payment_method: "pm_card_visa", confirm: true };

test("customers are created, changed, found, paged and deleted", async () => {
  const stripe = client();
  const made = [];
  for (const name of ["Ada", "Bob", "Eve"]) {
    made.push(await stripe.customers.create({ name, metadata: { team: "red" }, address: { city: "Paris" } }));
  }
  const ada = await stripe.customers.update(made[0].id, { metadata: { team: "", role: "lead" } });
  const found = await stripe.customers.search({ query: "metadata['team']:'red'" });
  const paged = await stripe.customers.list({ limit: 2 }).autoPagingToArray({ limit: 10 });
  const gone = await stripe.customers.del(made[1].id);
  const stub = await stripe.customers.retrieve(made[1].id);

  assert.deepEqual({ ...ada.metadata }, { role: "lead" });
  assert.deepEqual(found.data.map((each) => each.name), ["Eve", "Bob"]);
  assert.deepEqual(paged.map((each) => each.name), ["Eve", "Bob", "Ada"]);
  assert.equal(gone.deleted, true);
  assert.equal(stub.deleted, true);
});

test("a payment succeeds and expands four levels deep", async () => {
  const stripe = client();
  const paid = await stripe.paymentIntents.create({ ...charge, expand: ["latest_charge.balance_transaction"] });
  const listed = await stripe.charges.list({ expand: ["data.payment_intent.latest_charge.balance_transaction"] });

  assert.equal(paid.status, "succeeded");
  assert.equal(paid.latest_charge.balance_transaction.net, 900 - 56);
  assert.equal(listed.data[0].payment_intent.latest_charge.balance_transaction.amount, 900);
});

test("a decline is a card error with the intent in it", async () => {
  const stripe = client();
  await assert.rejects(
    stripe.paymentIntents.create({ ...charge, payment_method: "pm_card_visa_chargeDeclinedInsufficientFunds" }),
    (error) => {
      assert.ok(error instanceof Stripe.errors.StripeCardError);
      assert.equal(error.statusCode, 402);
      assert.equal(error.decline_code, "insufficient_funds");
      assert.equal(error.payment_intent.status, "requires_payment_method");
      return true;
    },
  );
});

test("mistakes are named", async () => {
  const stripe = client();
  await assert.rejects(stripe.customers.create({ fancy: { thing: 1 } }), { code: "parameter_unknown", param: "fancy[thing]" });
  await assert.rejects(stripe.customers.retrieve("cus_nobody"), { code: "resource_missing", statusCode: 404 });
  await assert.rejects(client({ key: "nonsense" }).customers.list(), { type: "StripeAuthenticationError" });
});

test("the same key replays, and other parameters under it are refused", async () => {
  const stripe = client();
  const first = await stripe.paymentIntents.create(charge, { idempotencyKey: "once" });
  const again = await stripe.paymentIntents.create(charge, { idempotencyKey: "once" });

  assert.equal(again.id, first.id);
  assert.equal(again.lastResponse.headers["idempotent-replayed"], "true");
  await assert.rejects(stripe.paymentIntents.create({ ...charge, amount: 1000 }, { idempotencyKey: "once" }), {
    type: "StripeIdempotencyError",
  });
});

for (const [name, fault, type] of [
  ["a 500", { do: "status", status: 500 }, "StripeAPIError"],
  ["a lock time-out", { do: "status", status: 429, code: "lock_timeout" }, "StripeRateLimitError"],
  ["a lost request", { do: "timeout_before" }, "StripeConnectionError"],
  ["a lost answer", { do: "timeout_after" }, "StripeConnectionError"],
]) {
  test(`${name} is an error without retries, and one charge with two of them`, async () => {
    const stripe = client();
    const { id: account } = await stripe.accounts.retrieveCurrent();
    const match = { method: "POST", path: "/v1/payment_intents", account, nth: [1, 2] };
    await control("POST", "faults", { match, ...fault });

    await assert.rejects(stripe.paymentIntents.create(charge, { idempotencyKey: "pay" }), { type });
    const paid = await stripe.paymentIntents.create(charge, { idempotencyKey: "pay", maxNetworkRetries: 2 });

    assert.equal(paid.status, "succeeded");
    assert.equal((await stripe.charges.list()).data.length, 1);
  });
}

test("an invoice is finalized and paid, and knows its payment", async () => {
  const stripe = client();
  const customer = await stripe.customers.create({
    payment_method: "pm_card_visa",
    invoice_settings: { default_payment_method: "pm_card_visa" },
  });
  await stripe.invoiceItems.create({ customer: customer.id, amount: 2500, currency: "usd" });
  const draft = await stripe.invoices.create({ customer: customer.id, pending_invoice_items_behavior: "include" });
  await stripe.invoices.finalizeInvoice(draft.id);
  const paid = await stripe.invoices.pay(draft.id, { expand: ["payments.data.payment.payment_intent"] });
  const rows = await stripe.invoicePayments.list({ invoice: draft.id });

  assert.equal(paid.status, "paid");
  assert.equal(paid.payments.data[0].payment.payment_intent.amount_received, 2500);
  assert.equal(rows.data[0].amount_paid, 2500);
});

test("an older version sees the older shape", async () => {
  const stripe = client({ apiVersion: "2025-02-24.acacia" });
  const customer = await stripe.customers.create({});
  const draft = await stripe.invoices.create({ customer: customer.id });

  assert.equal(draft.paid, false);
  assert.ok(!("parent" in draft));
});

test("a session is opened and paid as the command line of Stripe does it", async () => {
  const stripe = client({ key: "sk_test_node_cli" });
  const session = await stripe.checkout.sessions.create({
    mode: "payment",
    success_url: "https://shop.example/thanks",
    line_items: [{ quantity: 2, price_data: { currency: "usd", unit_amount: 1500, product_data: { name: "Seat" } } }],
  });
  const page = await stripe.rawRequest("POST", `/v1/payment_pages/${session.id}/confirm`, {
    payment_method: "pm_card_visa",
    expected_amount: 3000,
  });

  assert.equal(page.payment_status, "paid");
  assert.equal((await stripe.checkout.sessions.retrieve(session.id)).status, "complete");
});

test("webhooks are signed so that the SDK accepts them", async () => {
  const stripe = client();
  const endpoint = http.createServer();
  after(() => endpoint.close());
  endpoint.listen(0, "127.0.0.1");
  await once(endpoint, "listening");
  const { secret } = await stripe.webhookEndpoints.create({
    url: `http://127.0.0.1:${endpoint.address().port}/hook`,
    enabled_events: ["payment_intent.succeeded"],
  });
  const arriving = once(endpoint, "request");
  await stripe.paymentIntents.create(charge);
  const [request, response] = await arriving;
  const body = await text(request);
  response.end();
  const signature = request.headers["stripe-signature"];

  const event = stripe.webhooks.constructEvent(body, signature, secret);

  assert.equal(event.type, "payment_intent.succeeded");
  assert.equal(event.data.object.amount, 900);
  assert.throws(() => stripe.webhooks.constructEvent(body, signature, "whsec_other"), {
    type: "StripeSignatureVerificationError",
  });
});
