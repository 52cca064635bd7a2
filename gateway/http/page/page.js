// A watchlist on the browser's own EventSource. Each connection is opened by hand, since a browser
// retries with the spent ticket, and gives up for good on any answer but 200.

const SILENCE_MS = 30_000; // the gateway sends a heartbeat every ten seconds
const RETRY_MS = { first: 500, most: 15_000 };

const element = (id) => document.getElementById(id);
const rows = new Map(); // symbol → {row, price, time}
let source = null;
let retry = { timer: 0, wait: RETRY_MS.first };
let heard = 0;
let feed = null;

// --- the symbols, kept in the address so that a watchlist can be shared

const symbols = () => {
  const asked = new URLSearchParams(location.search).get("symbols") ?? "SPY,IBM,BAC,AIG";
  return [...new Set(asked.split(",").map((s) => s.trim().toUpperCase()).filter(Boolean))];
};

function watch(list) {
  history.replaceState(null, "", `?symbols=${list.map(encodeURIComponent).join(",")}`);
  showRows();
  connect();
}

// --- the connection

async function connect() {
  clearTimeout(retry.timer);
  source?.close();
  source = null;
  show();
  if (!symbols().length) return;
  const query = new URLSearchParams({ symbols: symbols().join(",") });
  try {
    const answer = await fetch(`/api/prices?${query}`, { headers: credentials() });
    if (answer.status === 401) return askForToken(answer);
    if (answer.status === 400) return refuse(answer);
    if (sessionStorage.token) query.set("ticket", await newTicket());
  } catch (error) {
    return again(error.message);
  }
  element("refused").textContent = "";
  element("sign-in").hidden = true;
  const opened = new EventSource(`/api/stream/prices?${query}`);
  source = opened;
  heard = Date.now();
  const on = (kind, take) =>
    opened.addEventListener(kind, (event) => {
      if (opened !== source) return;
      heard = Date.now();
      take(JSON.parse(event.data));
      show();
    });
  on("price", showPrice);
  on("status", showState);
  on("feed", (data) => { feed = data; });
  on("ready", () => { retry.wait = RETRY_MS.first; });
  on("heartbeat", (data) => {
    element("lag").textContent = data.lag_ms === null ? "" : `exchange to ingest ${data.lag_ms} ms`;
  });
  on("bye", (data) => again(data.reason, data.retry_ms));
  opened.onerror = () => opened === source && again("the connection was lost");
}

function again(reason, wait = Math.random() * retry.wait) {
  source?.close();
  source = null;
  retry.wait = Math.min(retry.wait * 2, RETRY_MS.most);
  retry.timer = setTimeout(connect, wait);
  show(reason);
}

const credentials = () =>
  sessionStorage.token ? { Authorization: `Bearer ${sessionStorage.token}` } : {};

async function newTicket() {
  const answer = await fetch("/api/stream/ticket", { method: "POST", headers: credentials() });
  if (!answer.ok) throw new Error((await answer.json()).error.message);
  return (await answer.json()).ticket;
}

async function askForToken(answer) {
  const tried = Boolean(sessionStorage.token);
  sessionStorage.removeItem("token");
  element("sign-in").hidden = false;
  show(tried ? (await answer.json()).error.message : "this gateway asks for a token");
}

async function refuse(answer) {
  const { error } = await answer.json();
  element("refused").textContent = `${error.message} (${error.hint})`;
  show();
}

// --- what is shown

// LIVE only when the stream is open, the gateway is heard, and the feed behind it is connected.
function show(reason = "") {
  const open = source?.readyState === EventSource.OPEN && Date.now() - heard < SILENCE_MS;
  const live = open && feed?.state === "live";
  const closed = live && feed.session === "closed";
  element("connection").dataset.state = live ? "live" : "connecting";
  element("connection").textContent = live ? "LIVE" : "Connecting...";
  element("reason").textContent =
    reason || (open && !live ? feed?.reason ?? "" : closed ? "the market is closed" : "");
  document.querySelector("table").classList.toggle("dimmed", !live);
}

function showRows() {
  const wanted = symbols();
  for (const [symbol, { row }] of rows) {
    if (wanted.includes(symbol)) continue;
    row.remove();
    rows.delete(symbol);
  }
  for (const symbol of wanted) {
    if (rows.has(symbol)) continue;
    const row = element("row").content.firstElementChild.cloneNode(true);
    row.querySelector('[data-field="symbol"]').textContent = symbol;
    const remove = row.querySelector(".remove");
    remove.setAttribute("aria-label", `Stop watching ${symbol}`);
    remove.addEventListener("click", () => watch(symbols().filter((each) => each !== symbol)));
    element("prices").append(row);
    rows.set(symbol, { row, price: null, time: null });
  }
}

const REASONS = {
  no_trade_seen: "no trade seen yet",
  unknown_symbol: "Alpaca does not know it",
  redis_unavailable: "no stored prices at the moment",
};

function showPrice(data) {
  const entry = rows.get(data.symbol);
  if (!entry) return;
  const cell = (field) => entry.row.querySelector(`[data-field="${field}"]`);
  if (data.price === null) {
    cell("price").textContent = "–";
    cell("age").textContent = REASONS[data.reason] ?? data.reason;
    return;
  }
  if (entry.price !== null && data.price !== entry.price) {
    const up = data.price > entry.price;
    cell("price").classList.remove("moved-up", "moved-down");
    void cell("price").offsetWidth; // restart the animation
    cell("price").classList.add(up ? "moved-up" : "moved-down");
  }
  entry.price = data.price;
  entry.time = Date.parse(data.timestamp);
  cell("price").textContent = data.price.toFixed(2);
  cell("size").textContent = data.size ?? "";
  cell("exchange").textContent = data.exchange ?? "";
  showChange(cell("change"), data);
  showAge(entry);
}

// Live needs no word; every other state says what to think of the price beside it.
function showState({ symbol, state, reason }) {
  const cell = rows.get(symbol)?.row.querySelector('[data-field="state"]');
  if (!cell) return;
  cell.textContent = state === "live" ? "" : state;
  cell.title = reason ?? "";
}

function showChange(cell, { change, change_percent }) {
  if (change === null) return;
  cell.dataset.direction = change > 0 ? "up" : change < 0 ? "down" : "";
  const arrow = change > 0 ? "▲" : change < 0 ? "▼" : "";
  const percent = change_percent === null ? "" : ` (${(change_percent * 100).toFixed(2)} %)`;
  cell.textContent = `${arrow} ${change.toFixed(2)}${percent}`;
}

function showAge({ row, time }) {
  if (time === null) return;
  const seconds = Math.max(0, Math.round((Date.now() - time) / 1000));
  const text = seconds < 90 ? `${seconds} s` : `${Math.round(seconds / 60)} min`;
  row.querySelector('[data-field="age"]').textContent = text;
}

// --- begin

element("add").addEventListener("submit", (event) => {
  event.preventDefault();
  const added = event.target.elements.symbols.value.split(/[\s,]+/).filter(Boolean);
  watch([...new Set([...symbols(), ...added.map((symbol) => symbol.toUpperCase())])]);
  event.target.reset();
});
element("sign-in").addEventListener("submit", (event) => {
  event.preventDefault();
  sessionStorage.token = event.target.elements.token.value;
  event.target.reset();
  connect();
});
setInterval(() => {
  rows.forEach(showAge);
  if (source && Date.now() - heard > SILENCE_MS) again("nothing heard from the gateway");
}, 1000);
addEventListener("online", connect);
showRows();
connect();
