// Sends one message from the form of the gateway's page, and shows the response.
"use strict";

const RESPONSE_MS = 10000; // longer than the gateway itself takes for any response

const form = document.getElementById("send");
const answer = document.getElementById("answer");

/** The current time with an offset and a fraction of a second. */
function now() {
  return new Date().toISOString();
}

function headersOf(fields) {
  const headers = {"Content-Type": "application/json"};
  if (fields.get("token")) {
    headers.Authorization = `Bearer ${fields.get("token")}`;
  }
  return headers;
}

async function send(fields) {
  const message = {run: fields.get("run"), number: Number(fields.get("number")), sent_at: now()};
  const response = await fetch("/messages", {
    method: "POST",
    headers: headersOf(fields),
    body: JSON.stringify(message),
    signal: AbortSignal.timeout(RESPONSE_MS),
  });
  answer.textContent = `${response.status} ${response.statusText}\n${JSON.stringify(await response.json(), null, 2)}`;
  if (response.status === 202) {
    form.elements.number.value = message.number + 1;
  }
}

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const button = form.querySelector("button");
  button.disabled = true;
  try {
    await send(new FormData(form));
  } catch (error) {
    answer.textContent = `No response: ${error.message}`;
  } finally {
    button.disabled = false;
  }
});
