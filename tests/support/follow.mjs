// Follows a stream of Server-Sent Events as the HTML standard says, reconnecting with Last-Event-ID.
// Prints the id of each stats event. node follow.mjs URL

let lastId = "";
let retryMs = 3000;

for (;;) {
  try {
    const answer = await fetch(process.argv[2], {
      headers: { Accept: "text/event-stream", ...(lastId && { "Last-Event-ID": lastId }) },
    });
    if (!answer.headers.get("content-type").startsWith("text/event-stream")) throw new Error("not a stream");
    await follow(answer.body.pipeThrough(new TextDecoderStream()));
  } catch (error) {
    console.error(String(error));
  }
  await new Promise((resolve) => setTimeout(resolve, retryMs));
}

async function follow(text) {
  let rest = "";
  let event = {};
  for await (const piece of text) {
    const lines = (rest + piece).split("\n");
    rest = lines.pop();
    for (const line of lines) event = apply(event, line);
  }
}

function apply(event, line) {
  if (line === "") {
    if (event.data) {
      JSON.parse(event.data);
      lastId = event.id ?? lastId;
      console.log(lastId);
    }
    return {};
  }
  const [, name, value] = line.match(/^([^:]*):? ?(.*)$/);
  if (name === "retry") retryMs = Number(value);
  return name ? { ...event, [name]: value } : event;
}
