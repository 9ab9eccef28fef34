// Runs in a process of its own: loads the library in the folder that is its argument, and prints what it finds as JSON.

import { type CApi, loadLibrary, type Pointer } from './capi.js';
import type { Probe } from './probe.js';

function listDevices(c: CApi): Probe['devices'] {
  const graph = c.TF_NewGraph() as Pointer;
  const options = c.TF_NewSessionOptions() as Pointer;
  const session = c.check('session', (status) => c.TF_NewSession(graph, options, status) as Pointer);
  const list = c.check('devices', (status) => c.TF_SessionListDevices(session, status) as Pointer);
  const devices = Array.from({ length: c.TF_DeviceListCount(list) as number }, (_, i) => ({
    name: (c.check('name', (status) => c.TF_DeviceListName(list, i, status)) as string).replace(/^.*(?=\/device:)/, ''),
    type: c.check('type', (status) => c.TF_DeviceListType(list, i, status)) as string,
    memoryMegabytes: Math.round(Number(c.check('memory', (status) => c.TF_DeviceListMemoryBytes(list, i, status))) / 1e6),
  }));
  c.TF_DeleteDeviceList(list);
  c.check('close', (status) => c.TF_DeleteSession(session, status));
  c.TF_DeleteSessionOptions(options);
  c.TF_DeleteGraph(graph);
  return devices;
}

const start = performance.now();
const c = loadLibrary(process.argv[2]!);
const loadSeconds = (performance.now() - start) / 1000;
const probe: Probe = { version: c.TF_Version() as string, loadSeconds, devices: listDevices(c) };
process.stdout.write(`${JSON.stringify(probe)}\n`);
