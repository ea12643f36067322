// The node-pty side of `orchflow-bench terminal`: answers one line per request, in blocks, so that both sides take turns.
//
//   echo N       round trips through `cat` in raw mode      -> ok P50_US P99_US
//   flood BYTES  takes output of the flooding child         -> ok MB_PER_S
//   spawn N      starts /bin/true                           -> ok P50_US
//
// Arguments: the folder that holds node_modules, then the flooding program with its arguments.
'use strict';

const path = require('node:path');
const readline = require('node:readline');

const [folder, program, ...args] = process.argv.slice(2);
const pty = require(path.join(folder, 'node_modules', 'node-pty'));

const WARM_UP_TRIPS = 20;
const options = { cols: 80, rows: 24, encoding: null };
const micros = (start) => Number(process.hrtime.bigint() - start) / 1e3;
const percentile = (samples, percent) => samples.sort((a, b) => a - b)[Math.ceil((percent / 100) * samples.length) - 1];

/// A child that said that it is ready, and whoever waits for its output.
function start(file, argv) {
  const child = { terminal: pty.spawn(file, argv, options), onData: null };
  return new Promise((resolve) => {
    child.onData = (bytes) => bytes.includes('R') && resolve(child);
    child.terminal.onData((bytes) => child.onData(bytes));
  });
}

async function echo(child, trips) {
  const took = [];
  for (let trip = -WARM_UP_TRIPS; trip < trips; trip++) {
    const begun = process.hrtime.bigint();
    const us = await new Promise((resolve) => {
      child.onData = () => resolve(micros(begun));
      child.terminal.write('x');
    });
    if (trip >= 0) took.push(us);
  }
  return [percentile(took, 50), percentile(took, 99)];
}

async function flood(child, bytes) {
  let taken = 0;
  const begun = process.hrtime.bigint();
  await new Promise((resolve) => {
    child.onData = (output) => {
      taken += output.length;
      if (taken >= bytes) resolve();
    };
    child.terminal.resume();
  });
  const us = micros(begun);
  child.terminal.pause();
  child.onData = () => {}; // What it had read ahead belongs to no block.
  return [taken / us];
}

async function spawn(times) {
  const took = [];
  for (let time = 0; time < times; time++) {
    const begun = process.hrtime.bigint();
    const terminal = pty.spawn('/bin/true', [], options);
    took.push(micros(begun));
    await new Promise((resolve) => terminal.onExit(resolve));
  }
  return [percentile(took, 50)];
}

async function main() {
  const cat = await start('sh', ['-c', 'stty raw -echo; printf R; exec cat']);
  const flooder = await start(program, args);
  flooder.terminal.pause();
  flooder.onData = () => {};
  const answers = { echo: (n) => echo(cat, n), flood: (n) => flood(flooder, n), spawn };
  console.log('ok');
  for await (const request of readline.createInterface({ input: process.stdin })) {
    const [name, amount] = request.split(' ');
    console.log('ok', ...(await answers[name](Number(amount))));
  }
  process.exit(0);
}

main();
