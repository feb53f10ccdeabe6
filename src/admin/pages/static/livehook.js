// Keeps a page current. Every page is complete without this script.
//
// A part of a page is an element with `data-part`. When an event arrives, and every few seconds, the page is fetched anew and
// its parts are changed where they differ. Times are shown in the reader's zone, and running times tick.

const root = document.documentElement;
root.classList.add('with-script');

// Times

const language = root.lang;
const day = new Intl.DateTimeFormat(language, { dateStyle: 'medium' });
const full = new Intl.DateTimeFormat(language, { dateStyle: 'medium', timeStyle: 'medium' });
const clock = new Intl.DateTimeFormat(language, { timeStyle: 'medium' });

/** Shows the times of an element in the reader's zone. The time in UTC stays at hand as a title. */
function localize(element) {
  for (const time of element.querySelectorAll('time[datetime]')) {
    const moment = new Date(time.dateTime);
    if (Number.isNaN(moment.valueOf())) continue;
    time.title ||= time.textContent;
    const isToday = day.format(moment) === day.format(new Date());
    time.textContent = (isToday ? clock : full).format(moment);
  }
}

// The clock of this computer may differ from the service's, which wrote the running times.
let ahead = 0;

function tick() {
  for (const running of document.querySelectorAll('[data-since-ms]')) {
    const secs = Math.max(0, Math.floor((Date.now() - ahead - Number(running.dataset.sinceMs)) / 1000));
    const pad = (number) => String(number).padStart(2, '0');
    running.textContent = `${Math.floor(secs / 3600)}:${pad(Math.floor(secs / 60) % 60)}:${pad(secs % 60)}`;
  }
}

// Parts

/** Changes an element into another one, and keeps what both have: focus, open details, a selection. */
function change(old, fresh) {
  if (old.nodeType !== fresh.nodeType || old.nodeName !== fresh.nodeName) {
    old.replaceWith(fresh);
    return;
  }
  if (old.nodeType === Node.TEXT_NODE) {
    if (old.data !== fresh.data) old.data = fresh.data;
    return;
  }
  if (old.nodeType !== Node.ELEMENT_NODE) return;
  for (const { name } of [...old.attributes]) {
    if (!fresh.hasAttribute(name) && !(old.nodeName === 'DETAILS' && name === 'open')) old.removeAttribute(name);
  }
  for (const { name, value } of [...fresh.attributes]) {
    if (old.getAttribute(name) !== value) old.setAttribute(name, value);
  }
  const key = (node) => node.dataset && (node.dataset.session || node.dataset.event || node.dataset.sink || node.id);
  const kept = new Map();
  for (const child of old.children) if (key(child)) kept.set(key(child), child);
  let place = old.firstChild;
  for (const child of [...fresh.childNodes]) {
    const same = key(child) ? kept.get(key(child)) : place && !key(place) && place.nodeName === child.nodeName && place;
    if (!same) {
      old.insertBefore(child, place);
      continue;
    }
    if (same === place) place = place.nextSibling;
    else old.insertBefore(same, place);
    change(same, child);
  }
  while (place) {
    const next = place.nextSibling;
    place.remove();
    place = next;
  }
}

const connection = document.getElementById('connection');
let renewing = false;
let wanted = false;

async function renew() {
  if (document.hidden) return;
  if (renewing) {
    wanted = true;
    return;
  }
  renewing = true;
  try {
    const response = await fetch(location.href, { headers: { accept: 'text/html' }, cache: 'no-store' });
    if (new URL(response.url).pathname === '/login' && location.pathname !== '/login') {
      location.reload();
      return;
    }
    const date = Date.parse(response.headers.get('date'));
    // The header has whole seconds, so a smaller difference is none.
    if (Math.abs(Date.now() - date) > 2000) ahead = Date.now() - date;
    else ahead = 0;
    if (response.ok) {
      const fresh = new DOMParser().parseFromString(await response.text(), 'text/html');
      const places = (page) => [...page.querySelectorAll('[data-part]')].map((part) => part.id).join();
      // The first event turns the page of the set-up into another one.
      if (places(fresh) !== places(document)) {
        location.reload();
        return;
      }
      localize(fresh);
      document.title = fresh.title;
      for (const part of document.querySelectorAll('[data-part]')) change(part, fresh.getElementById(part.id));
      tick();
      connection.textContent = '';
    }
  } catch {
    connection.textContent = connection.dataset.lost;
  }
  renewing = false;
}

// An event is shown at once. If more follow, a page is renewed at most this often.
const PAUSE_MS = 600;
let last = 0;
let timer;

function renewSoon() {
  const wait = Math.max(50, last + PAUSE_MS - Date.now());
  timer ??= setTimeout(() => {
    timer = undefined;
    last = Date.now();
    renew();
  }, wait);
}

/** Renews the page for every event. The feed is opened again for as long as the page is open. */
function follow() {
  const feed = new EventSource('/api/v1/feed?kind=event');
  for (const kind of ['event', 'gap', 'open']) feed.addEventListener(kind, renewSoon);
  feed.addEventListener('error', () => {
    connection.textContent = connection.dataset.lost;
    // A browser gives up if the answer is an error, such as the 503 of a service that is stopping.
    if (feed.readyState === EventSource.CLOSED) setTimeout(follow, 2000);
  });
}

if (document.querySelector('[data-part]')) {
  follow();
  // The feed has no refusals, and the page of the set-up waits for them.
  const everyMs = document.querySelector('[data-urgent]') ? 500 : 4000;
  setInterval(() => {
    if (wanted || Date.now() - last > everyMs) {
      wanted = false;
      renewSoon();
    }
  }, 500);
  document.addEventListener('visibilitychange', () => {
    if (!document.hidden) renewSoon();
  });
  setInterval(tick, 1000);
}

// Forms

for (const field of document.querySelectorAll('[data-submits]')) {
  let waiting;
  field.addEventListener('input', () => {
    clearTimeout(waiting);
    waiting = setTimeout(() => field.form.requestSubmit(), field.type === 'search' ? 400 : 0);
  });
}
const search = new URLSearchParams(location.search).get('text') && document.querySelector('input[type=search]');
if (search) {
  search.focus();
  search.setSelectionRange(search.value.length, search.value.length);
}

for (const code of document.querySelectorAll('[data-copies]')) {
  code.addEventListener('click', () => getSelection().selectAllChildren(code));
}

localize(document);
tick();
