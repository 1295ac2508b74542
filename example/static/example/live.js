// Show the tide gauge: read a streaming response, or poll an address if the server is WSGI.
const { feed, gauge } = document.querySelector("script[data-gauge]").dataset;
const height = document.querySelector("#height");
const state = document.querySelector("#state");
let over = false;

document.addEventListener("session-limit:ended", () => { over = true; stop(); });

function stop() {
  state.textContent = "Stopped";
}

function show(line) {
  if (over) return;
  height.value = JSON.parse(line).height.toFixed(2);
  state.textContent = "Live";
}

async function stream() {
  const response = await fetch(feed);
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  for (let text = ""; ;) {
    const { value, done } = await reader.read();
    if (done || !response.ok) break;
    const lines = (text + value).split("\n");
    text = lines.pop();
    lines.forEach(show);
  }
  stop();
}

async function poll() {
  const response = await fetch(gauge);
  if (!response.ok) {
    stop();
    return;
  }
  show(await response.text());
  if (!over) setTimeout(poll, 2000);
}

(feed ? stream() : poll()).catch(stop);
