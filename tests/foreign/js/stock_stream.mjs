// Alpaca's official JavaScript SDK as a client of the simulator.
//
// usage: node stock_stream.mjs URL KEY SECRET SYMBOL COUNT
// Prints one JSON object a line: {"event", ...}. Ends after COUNT trades or on an error.
import { streaming } from "@alpacahq/alpaca-trade-api";

const [url, keyId, secret, symbol, count] = process.argv.slice(2);
const say = (event, fields) => console.log(JSON.stringify({ event, ...fields }));

const stream = new streaming.StockDataStream({ credentials: { keyId, secret }, url });
let seen = 0;

stream.onError((error) => {
  say("error", { message: String(error?.message ?? error), code: error?.code ?? null });
  stream.disconnect();
  process.exitCode = 3;
});
stream.onTrade((trade) => {
  if (seen >= Number(count)) return;
  seen += 1;
  say("trade", {
    symbol: trade.symbol,
    id: trade.id,
    price: trade.price,
    size: trade.size,
    exchange: trade.exchange,
    conditions: trade.conditions,
    tape: trade.tape,
    timestamp: trade.timestampRaw ?? trade.timestamp,
    keys: Object.keys(trade),
  });
  if (seen === Number(count)) stream.disconnect();
});

stream.subscribeForTrades([symbol]);
stream.connect();
