// A growing log: `<pre data-log-url="…" data-log-offset="123">`.
// The address answers `?offset=N` with {"text": new text, "offset": next offset, "finished": bool}.
// Everything else that is live is polled by htmx.

const POLL_MS = 1500;
const SLOW_MS = 10000;

function atBottom(log) {
  return log.scrollHeight - log.scrollTop - log.clientHeight < 24;
}

function append(log, text) {
  const follow = atBottom(log);
  log.append(text);
  if (follow) log.scrollTop = log.scrollHeight;
}

async function poll(log, foot) {
  const url = new URL(log.dataset.logUrl, location.href);
  url.searchParams.set("offset", log.dataset.logOffset);
  try {
    const response = await fetch(url, { headers: { Accept: "application/json" } });
    if (response.status >= 400 && response.status < 500) {
      foot.textContent = "This log is no longer to be had. Reload the page.";
      return;
    }
    if (response.redirected) {
      foot.textContent = "You are signed out. Reload the page to sign in and read on.";
      return;
    }
    if (!response.ok) throw new Error(String(response.status));
    const part = await response.json();
    if (part.text) append(log, part.text);
    log.dataset.logOffset = part.offset;
    foot.textContent = part.finished ? "The log is complete." : "New lines appear here as they are written.";
    if (part.finished) {
      log.dispatchEvent(new CustomEvent("log-finished", { bubbles: true }));
      return;
    }
    setTimeout(() => poll(log, foot), POLL_MS);
  } catch {
    foot.textContent = "The platform does not answer. Trying again in ten seconds.";
    setTimeout(() => poll(log, foot), SLOW_MS);
  }
}

function start(root) {
  for (const log of root.querySelectorAll("[data-log-url]:not([data-log-started])")) {
    log.dataset.logStarted = "";
    log.scrollTop = log.scrollHeight;
    poll(log, log.parentElement.querySelector("[data-log-foot]"));
  }
}

document.addEventListener("htmx:load", (event) => start(event.target));
start(document);
