// Talks to examples/graph-server with the official client, as it comes.
//
//   node graph_client.js ORIGIN SCENARIO
//
// Prints a line of JSON for each step: [step, what came].  What has to come is
// in test/t/graph_client.pl.
'use strict';

const { Client, GraphError, PageIterator, ResponseType } = require('@microsoft/microsoft-graph-client');

const [, , origin, scenario] = process.argv;
const ITEM = '61fc8f36-919f-4b73-89d4-1cb7b159d912';
const DEEP_ITEM = '0a5d1f2e-7c44-4f1e-8a57-3f0c5a9d6b11';

const clientOf = (token) => Client.init({
	baseUrl: origin,
	defaultVersion: 'v1.0',
	customHosts: new Set([new URL(origin).hostname]),
	authProvider: (done) => done(null, token),
});

const ada = clientOf('demo-token-of-ada');
const grace = clientOf('demo-token-of-grace');
const crawler = clientOf('demo-token-of-the-crawler');
const say = (step, value) => console.log(JSON.stringify([step, value ?? null]));
const pathOf = (key) => `/me/activities/${encodeURIComponent(key)}`;
const keysOf = (list) => list.value.map((activity) => activity.appActivityId);

const document = (key, more) => ({
	appActivityId: key,
	activitySourceHost: 'https://reader.example',
	activationUrl: `https://reader.example/open?${encodeURIComponent(key)}`,
	visualElements: { displayText: `Text of ${key}` },
	...more,
});

// The status and the headers of an answer that the client would hide.
async function raw(call) {
	const response = await call;
	const { status, headers } = response;
	return { status, location: headers.get('location'), type: headers.get('content-type'), body: await response.text() };
}

// What the client makes of an error.
async function failure(call) {
	try {
		return { unexpected: await call };
	} catch (error) {
		const body = error.body && JSON.parse(error.body);
		return {
			isGraphError: error instanceof GraphError,
			statusCode: error.statusCode,
			code: error.code,
			message: error.message,
			...(body?.target && { target: body.target }),
			...(error.requestId && { sameRequestId: error.requestId === error.headers.get('request-id') }),
		};
	}
}

async function walkThrough() {
	const key = '/articles/ü?a=b&c#d 100%+';
	const put = await raw(ada.api(pathOf(key)).responseType(ResponseType.RAW).put(document(key)));
	const { id } = JSON.parse(put.body);
	say('put', { ...put, body: JSON.parse(put.body).appActivityId });
	say('location', (await ada.api(put.location).get()).appActivityId);
	say('put again', (await raw(ada.api(pathOf(key)).responseType(ResponseType.RAW).put(document(key)))).status);

	// numbers in opaque members come back digit by digit
	const exact = '{"@context":"https://schema.org","big":123456789012345678901234567890,"fine":0.10000000000000000001}';
	const text = JSON.stringify(document('deep', {
		historyItems: [{ id: DEEP_ITEM, startedDateTime: '2026-01-01T10:00:00Z', lastActiveDateTime: '2026-01-01T10:01:00Z' }],
	})).replace(/}$/, `,"contentInfo":${exact}}`);
	const deep = await raw(ada.api(pathOf('deep')).header('Content-Type', 'application/json')
		.responseType(ResponseType.RAW).put(text));
	const { historyItems, id: deepId } = JSON.parse(deep.body);
	say('deep insert', { status: deep.status, items: historyItems.map((item) => [item.id, item.activeDurationSeconds]) });
	say('exact numbers', ['123456789012345678901234567890', '0.10000000000000000001'].map((digits) => deep.body.includes(digits)));

	const item = await ada.api(`/me/activities/${id}/historyItems/${ITEM}`)
		.put({ startedDateTime: '2026-01-02T10:00:00Z', lastActiveDateTime: '2026-01-02T10:00:20Z' });
	say('history put', [item.id, item.startedDateTime, item.activeDurationSeconds, item.status]);
	await ada.api(pathOf('no history')).put(document('no history'));

	say('list', keysOf(await ada.api('/me/activities').get()));
	const expanded = await ada.api('/me/activities').expand('historyItems').top(2).get();
	say('expand', expanded.value.map((activity) => [activity.appActivityId, activity.historyItems.map((each) => each.id)]));
	const filtered = (option) => ada.api('/me/activities').expand(`historyItems($filter=${option})`).get();
	say('expand with a filter', (await filtered('lastModifiedDateTime lt 2026-01-01T00:00:00Z')).value
		.map((activity) => [activity.appActivityId, activity.historyItems.length]));
	say('expand with a wrong filter', await failure(filtered('startedDateTime lt 2026-01-01T00:00:00Z')));
	say('recent', keysOf(await ada.api('/me/activities/recent').get()));
	say('recent()', keysOf(await ada.api('/me/activities/microsoft.graph.recent()').expand('historyItems').get()));
	say('get', (await ada.api(`/me/activities/${deepId}`).get()).visualElements.displayText);
	say('of others', keysOf(await grace.api('/me/activities').get()));

	say('delete item', await ada.api(`/me/activities/${id}/historyItems/${ITEM}`).delete());
	say('items after it', (await ada.api(`/me/activities/${id}/historyItems`).get()).value);
	say('delete activity', await raw(ada.api(`/me/activities/${id}`).responseType(ResponseType.RAW).delete()));
	say('list after it', keysOf(await ada.api('/me/activities').get()));

	const path = '/external/connections/contosohr/items/TSP228082938/addActivities';
	const performedBy = { type: 'user', id: 'ada' };
	const batch = { activities: [
		{ type: 'viewed', startDateTime: '2026-01-01T11:00:00Z', performedBy },
		{ type: 'liked', startDateTime: '2026-01-01T11:00:01Z', performedBy },
		{ type: 'commented', startDateTime: '2026-01-01T11:00:02Z', performedBy },
	] };
	const added = await raw(crawler.api(path).responseType(ResponseType.RAW).post(batch));
	say('addActivities', [added.status, JSON.parse(added.body).value.map((result) => result.error && result.error.target)]);
	say('addActivities by a user', await failure(ada.api(path).post(batch)));

	say('400', await failure(ada.api(pathOf('bad')).put(document('bad', { visualElements: { displayText: 1 } }))));
	say('400 for an option', await failure(ada.api('/me/activities').select('id').get()));
	say('404', await failure(ada.api('/me/activities/1').get()));
	say('405', await failure(ada.api('/me/activities/1').patch({})));
	say('401', await failure(clientOf('someone').api('/me/activities').get()));
}

async function pages() {
	const keys = Array.from({ length: 500 }, (_, n) => `page ${n}`);
	for (const key of keys) await grace.api(pathOf(key)).put(document(key));

	const seen = [];
	const first = await grace.api('/me/activities').get();
	const iterator = new PageIterator(grace, first, (activity) => seen.push(activity.appActivityId) > 0);
	await iterator.iterate();
	say('first page', [first.value.length, first['@odata.nextLink'].startsWith(`${origin}/v1.0/me/activities?`)]);
	say('iterated', [iterator.isComplete(), seen.length, seen.join() === keys.reverse().join()]);
}

// The trigger of the test makes the first attempts at these fail.
async function failures() {
	say('serialization failure', (await ada.api(pathOf('serialize')).put(document('serialize'))).appActivityId);
	say('connection lost', (await ada.api(pathOf('lose')).put(document('lose'))).appActivityId);
	say('500', await failure(ada.api(pathOf('raise')).put(document('raise'))));
	for (const [name, key] of [['503', 'always'], ['500', 'raise']]) {
		const answer = await plain(pathOf(key), { method: 'PUT', body: JSON.stringify(document(key)) });
		say(`plain ${name}`, answer);
	}
	const viewed = { type: 'viewed', startDateTime: '2026-01-01T11:00:00Z' };
	say('connection lost by a POST', (await add({ activities: [viewed] })).status);
}

// An answer to a request that the client would not send.
async function plain(path, { headers, ...options } = {}) {
	const response = await fetch(`${origin}/v1.0${path}`,
		{ ...options, headers: { authorization: 'Bearer demo-token-of-ada', ...headers } });
	const text = await response.text();
	const { error } = text === '' ? {} : JSON.parse(text);
	return {
		status: response.status,
		code: error?.code ?? null,
		members: Object.keys(error ?? {}).sort().join(),
		retryAfter: response.headers.get('retry-after'),
		authenticate: response.headers.get('www-authenticate'),
		type: response.headers.get('content-type'),
		internals: /secret|trigger|plpgsql|SQL|P0001|40001/i.test(text),
	};
}

const add = (batch) => plain('/external/connections/c/items/i/addActivities',
	{ method: 'POST', body: JSON.stringify(batch), headers: { authorization: 'Bearer demo-token-of-the-crawler' } });

async function oddities() {
	say('no token', await plain('/me/activities', { headers: { authorization: '' } }));
	say('another scheme', (await plain('/me/activities', { headers: { authorization: 'Basic demo-token-of-ada' } })).status);
	say('a name of JavaScript', (await plain('/me/activities', { headers: { authorization: 'Bearer __proto__' } })).status);
	const put = (body) => plain(pathOf('odd'), { method: 'PUT', body });
	say('no body', await put(undefined));
	const latin1 = document('odd', { visualElements: { displayText: '\xfc' } });
	say('UTF-8', (await put(JSON.stringify(latin1))).status);
	say('no UTF-8', (await put(Buffer.from(JSON.stringify(latin1), 'latin1'))).status);
	say('a zero byte', (await put('{"a": "\0"}')).status);
	say('too long', await put(' '.repeat(16 * 1024 * 1024 + 1)));
	say('no such path', (await plain('/me/nothing')).status);
	say('alive', (await plain('/me/activities')).status);
}

// While the database does not run.
async function down() {
	say('down', await plain('/me/activities'));
	say('nothing added', (await add({ activities: [] })).status);
}

// When it runs again.
async function up() {
	say('up', (await plain('/me/activities')).status);
}

({ walkThrough, pages, failures, oddities, down, up })[scenario]().catch((error) => {
	console.error(error);
	process.exit(1);
});
