// Keeps a page current. Every page is complete without this script.
//
// A part of a page is an element with `data-part`. When an event is stored, and every few seconds, the page is fetched again and
// its parts are changed if they differ. Times are shown in the reader's zone, and running times tick.

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
  // The service knows one distance from UTC, and the clocks may have changed since the time of a mark.
  const pad = (number) => String(number).padStart(2, '0');
  for (const mark of element.querySelectorAll('text[data-ms]')) {
    const moment = new Date(Number(mark.dataset.ms));
    const minutes = moment.getHours() * 60 + moment.getMinutes();
    const [one, other] = minutes ? [moment.getHours(), moment.getMinutes()] : [moment.getMonth() + 1, moment.getDate()];
    mark.textContent = `${pad(one)}${minutes ? ':' : '-'}${pad(other)}`;
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
  const key = (node) => node.dataset && (node.dataset.session || node.dataset.event || node.dataset.sink || node.dataset.stream || node.id);
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

// The service sends an update at once, and the next ones twice a second. All pages ask for themselves at that moment, so the service
// renders them once. Pages that wait longer do so until the same moments.
const isSlow = document.querySelector('[data-slow]');
const PAUSE_MS = isSlow ? 5000 : 250;
const MOMENT_MS = 250;
let last = 0;
let timer;

function renewSoon() {
  const now = Date.now();
  const earliest = last + PAUSE_MS;
  const moment = earliest <= now ? now : Math.ceil(earliest / MOMENT_MS) * MOMENT_MS;
  timer ??= setTimeout(() => {
    timer = undefined;
    last = Date.now();
    renew();
  }, moment - now);
}

const about = document.querySelector('[data-stream-key]')?.dataset.streamKey;
const updatesAddress = about ? `/updates?stream=${encodeURIComponent(about)}` : '/updates';
let updates;

/**
 * Renews the page when an event is stored. A hidden page gives its connection back, because a browser has six for all pages of
 * one address.
 */
function follow() {
  updates?.close();
  updates = undefined;
  if (document.hidden) return;
  const current = new EventSource(updatesAddress);
  updates = current;
  for (const kind of ['message', 'open']) current.addEventListener(kind, renewSoon);
  current.addEventListener('error', () => {
    connection.textContent = connection.dataset.lost;
    // A browser gives up if the answer is an error, such as the 503 of a service that is stopping.
    if (current.readyState === EventSource.CLOSED) setTimeout(() => current === updates && follow(), 2000);
  });
}

if (document.querySelector('[data-part]')) {
  follow();
  // No update comes for a refusal, and the page of the set-up waits for one.
  const everyMs = document.querySelector('[data-urgent]') ? 500 : isSlow ? 15000 : 4000;
  setInterval(() => {
    if (wanted || Date.now() - last > everyMs) {
      wanted = false;
      renewSoon();
    }
  }, 500);
  document.addEventListener('visibilitychange', follow);
  setInterval(tick, 1000);
}

// The zone of the reader, for what the service draws with times in it

const ahead_minutes = -new Date().getTimezoneOffset();
if (!document.cookie.split('; ').includes(`livehook_zone=${ahead_minutes}`)) {
  document.cookie = `livehook_zone=${ahead_minutes}; Path=/; Max-Age=31536000; SameSite=Strict`;
  if (ahead_minutes && document.querySelector('[data-zoned]')) renew();
}

// The time line

/** Shows the page of another address within this one. */
function go(address) {
  history.pushState(null, '', address);
  tip.hidden = true;
  renew();
}

addEventListener('popstate', renew);

document.addEventListener('click', (event) => {
  const link = event.target.closest('[data-goes]');
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  go(link.href);
});

document.addEventListener('keydown', (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.matches('input, select, textarea')) return;
  const bar = event.target.closest?.('.lane-bar');
  if (bar && event.key.startsWith('Arrow')) moveFocus(bar, event);
  else document.querySelector(`[data-key="${CSS.escape(event.key)}"]`)?.click();
});

/** Moves the focus to the next bar of the lane, or to the nearest one of the next lane. */
function moveFocus(bar, event) {
  event.preventDefault();
  const lane = bar.closest('.lane');
  const bars = [...lane.querySelectorAll('.lane-bar')];
  const place = bars.indexOf(bar);
  const middle = (each) => each.getBoundingClientRect().left;
  const next = {
    ArrowLeft: () => bars[place - 1],
    ArrowRight: () => bars[place + 1],
    ArrowUp: () => nearest(lane.previousElementSibling),
    ArrowDown: () => nearest(lane.nextElementSibling),
  };
  const nearest = (other) => {
    const all = [...(other?.querySelectorAll('.lane-bar') ?? [])];
    const distance = (each) => Math.abs(middle(each) - middle(bar));
    return all.sort((one, another) => distance(one) - distance(another))[0];
  };
  next[event.key]?.()?.focus();
}

/** The drawing under a pointer, and the time that a place of it stands for. */
function drawingAt(event) {
  const area = event.target.closest?.('.lanes-area');
  const drawing = area?.querySelector('.grid');
  if (!drawing) return null;
  const { fromMs, untilMs } = area.closest('[data-from-ms]').dataset;
  const { left, width } = drawing.getBoundingClientRect();
  const timeAt = (x) => Number(fromMs) + ((x - left) / width) * (untilMs - fromMs);
  return { area, left, width, timeAt, fromMs: Number(fromMs), untilMs: Number(untilMs) };
}

function goTo(fromMs, untilMs) {
  const address = new URL(location.href);
  const text = (timeMs) => new Date(Math.round(timeMs / 1000) * 1000).toISOString().replace('.000', '');
  address.searchParams.delete('span');
  address.searchParams.delete('page');
  address.searchParams.set('from', text(fromMs));
  address.searchParams.set('to', text(untilMs));
  go(address);
}

// A drag chooses a time. The click at its end must not follow a bar.
let drag = null;
let draggedAt = -Infinity;

document.addEventListener(
  'click',
  (event) => {
    if (event.timeStamp - draggedAt < 100) event.preventDefault();
  },
  { capture: true },
);

document.addEventListener('pointerdown', (event) => {
  const drawing = event.button === 0 && event.pointerType === 'mouse' && drawingAt(event);
  if (drawing && event.clientX >= drawing.left) drag = { ...drawing, x: event.clientX };
});

document.addEventListener('pointermove', (event) => {
  if (!drag) return;
  const [start, end] = [drag.x, event.clientX].sort((one, other) => one - other);
  if (!drag.chosen) {
    if (end - start < 6) return;
    drag.chosen = document.createElement('div');
    drag.chosen.className = 'chosen-time';
    drag.area.append(drag.chosen);
    getSelection().removeAllRanges();
  }
  event.preventDefault();
  drag.range = [Math.max(start, drag.left), Math.min(end, drag.left + drag.width)];
  const left = drag.area.getBoundingClientRect().left;
  drag.chosen.style.left = `${drag.range[0] - left}px`;
  drag.chosen.style.width = `${drag.range[1] - drag.range[0]}px`;
});

document.addEventListener('pointerup', (event) => {
  if (drag?.chosen) {
    drag.chosen.remove();
    draggedAt = event.timeStamp;
    goTo(drag.timeAt(drag.range[0]), drag.timeAt(drag.range[1]));
  }
  drag = null;
});

document.addEventListener('dragstart', (event) => {
  if (event.target.closest?.('.lanes-area')) event.preventDefault();
});

// The wheel zooms around the pointer while Ctrl is held.
let zoom = null;

document.addEventListener(
  'wheel',
  (event) => {
    const drawing = event.ctrlKey && drawingAt(event);
    if (!drawing) return;
    event.preventDefault();
    zoom ??= { factor: 1, timer: 0 };
    zoom.factor *= event.deltaY > 0 ? 1.25 : 0.8;
    clearTimeout(zoom.timer);
    zoom.timer = setTimeout(() => {
      const middle = drawing.timeAt(event.clientX);
      const at = (timeMs) => middle + (timeMs - middle) * zoom.factor;
      goTo(at(drawing.fromMs), Math.min(at(drawing.untilMs), Math.max(Date.now() - ahead, drawing.untilMs)));
      zoom = null;
    }, 120);
  },
  { passive: false },
);

// The words of a bar appear next to it at once. Browsers show a title late, and not for the keyboard.
const tip = document.createElement('div');
tip.className = 'tip';
tip.hidden = true;
document.body.append(tip);

function showTip(event) {
  const bar = event.target.closest?.('.lane-bar, .broadcast, .unread, [data-tip]');
  tip.hidden = !bar || drag?.chosen;
  if (tip.hidden) return;
  const title = bar.querySelector('title');
  tip.textContent = bar.getAttribute('aria-label') ?? bar.dataset.words ?? title?.textContent;
  if (title?.textContent) {
    bar.dataset.words = title.textContent;
    title.textContent = '';
  }
  const place = bar.getBoundingClientRect();
  const x = event.type === 'focusin' ? place.left + place.width / 2 : event.clientX;
  const left = Math.min(Math.max(8, x - tip.offsetWidth / 2), document.documentElement.clientWidth - tip.offsetWidth - 8);
  const above = place.top - tip.offsetHeight - 8;
  tip.style.left = `${left + scrollX}px`;
  tip.style.top = `${(above > 8 ? above : place.bottom + 8) + scrollY}px`;
}

for (const kind of ['pointerover', 'focusin']) document.addEventListener(kind, showTip);

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

for (const button of document.querySelectorAll('[data-copy]')) {
  const text = document.getElementById(button.dataset.copy);
  button.hidden = false;
  button.addEventListener('click', async () => {
    getSelection().selectAllChildren(text);
    // A page that came by plain HTTP from another machine has no clipboard. The text is then selected for the keyboard.
    if (!navigator.clipboard) return;
    await navigator.clipboard.writeText(text.textContent);
    const label = button.textContent;
    button.textContent = button.dataset.copied;
    setTimeout(() => { button.textContent = label; }, 2000);
  });
}

localize(document);
tick();
