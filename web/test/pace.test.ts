import { expect, it } from "vitest";
import { paced } from "../src/pace.ts";
import { PlayedClient, price } from "./played-client.ts";

it("paced values call a listener of many topics once a frame", () => {
  const client = new PlayedClient();
  const values = paced(client);
  let calls = 0;
  const listener = () => calls++;
  const ends = ["price:A", "price:B"].map((topic) => values.subscribe(topic, listener));
  client.play({ "price:A": price("A", 1), "price:B": price("B", 1) });
  expect(calls).toBe(1);
  for (const end of ends) end();
  client.play({ "price:A": price("A", 2) });
  expect(calls).toBe(1);
});
