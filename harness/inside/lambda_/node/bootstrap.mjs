// Runs a Lambda function's handler in Node.js: it asks the Runtime API for events, and posts what the handler answers.
//
// Sources: https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
//          https://docs.aws.amazon.com/lambda/latest/dg/nodejs-handler.html
import fs from "node:fs";
import http from "node:http";
import Module, { createRequire } from "node:module";
import path from "node:path";
import { PassThrough } from "node:stream";
import { pathToFileURL } from "node:url";
import { format } from "node:util";

const [host, port] = process.env.AWS_LAMBDA_RUNTIME_API.split(":");
const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
const VERSION = "/2018-06-01/runtime";
const STREAMED = Symbol("streamed");
let requestId = "";

function request(method, route, body, headers = {}) {
  return new Promise((resolve, reject) => {
    const asked = http.request({ host, port, method, path: VERSION + route, agent, headers }, (answer) => {
      const parts = [];
      answer.on("data", (part) => parts.push(part));
      answer.on("end", () => resolve({ headers: answer.headers, body: Buffer.concat(parts) }));
      answer.on("error", reject);
    });
    asked.on("error", reject);
    asked.end(body);
  });
}

function post(route, text, headers = {}) {
  const body = Buffer.from(text);
  return request("POST", route, body, { "Content-Type": "application/json", "Content-Length": body.length, ...headers });
}

function described(error) {
  if (error instanceof Error || (error && typeof error.stack === "string")) {
    return { errorType: error.name, errorMessage: error.message, trace: String(error.stack).split("\n") };
  }
  return { errorType: typeof error, errorMessage: String(error), trace: [] };
}

function named(name, message) {
  const error = new Error(message);
  error.name = name;
  return error;
}

// ---- What the function writes

const LEVELS = { trace: "TRACE", debug: "DEBUG", info: "INFO", log: "INFO", warn: "WARN", error: "ERROR", fatal: "FATAL" };
const ORDER = ["TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL"];
const asJson = process.env.AWS_LAMBDA_LOG_FORMAT === "JSON";
const lowest = asJson ? ORDER.indexOf(process.env.AWS_LAMBDA_LOG_LEVEL ?? "INFO") : 0;

function line(level, values) {
  const timestamp = new Date().toISOString();
  if (!asJson) {
    // One event of the log for each call, as many lines as it has.
    return `${timestamp}\t${requestId || undefined}\t${level}\t${format(...values)}`.replaceAll("\n", "\r");
  }
  const error = values.find((value) => value instanceof Error);
  const told = values.length === 1 && typeof values[0] === "object" && !error ? values[0] : format(...values);
  const record = { timestamp, level, requestId: requestId || undefined, message: told };
  if (error) {
    const { errorType, errorMessage, trace } = described(error);
    Object.assign(record, { errorType, errorMessage, stackTrace: trace });
  }
  return JSON.stringify(record);
}

for (const [method, level] of Object.entries(LEVELS)) {
  console[method] = (...values) => {
    if (ORDER.indexOf(level) >= lowest) {
      fs.writeSync(1, `${line(level, values)}\n`);
    }
  };
}

// ---- Version 2 of the AWS SDK does not know AWS_ENDPOINT_URL

const load = Module._load;
Module._load = function (name, ...others) {
  const loaded = load.call(this, name, ...others);
  if (/(^|\/)aws-sdk(\/|$)/.test(name)) {
    for (const [file, module] of Object.entries(Module._cache)) {
      if (/\/aws-sdk\/lib\/core\.js$/.test(file) && module.loaded && !module.exports.config.endpoint) {
        module.exports.config.update({ endpoint: process.env.AWS_ENDPOINT_URL, s3ForcePathStyle: true });
      }
    }
  }
  return loaded;
};

// ---- The handler

globalThis.awslambda = {
  streamifyResponse(handler) {
    handler[STREAMED] = true;
    return handler;
  },
  HttpResponseStream: {
    from(stream, prelude) {
      stream.prelude = prelude;
      return stream;
    },
  },
};

async function loadModule(root, name) {
  const base = path.resolve(root, name);
  for (const extension of ["", ".js", ".mjs", ".cjs"]) {
    const file = base + extension;
    if (!fs.existsSync(file) || fs.statSync(file).isDirectory()) {
      continue;
    }
    return await import(pathToFileURL(file).href);
  }
  // A directory with an index.js, or a module of a layer.
  const require = createRequire(path.join(root, "index.js"));
  return require(require.resolve(name, { paths: [root, ...(process.env.NODE_PATH ?? "").split(":")] }));
}

async function loadHandler() {
  const root = process.env.LAMBDA_TASK_ROOT;
  const named_ = process.env._HANDLER;
  const found = /^([^.]*)\.(.+)$/.exec(path.basename(named_));
  if (!found) {
    throw named("Runtime.MalformedHandlerName", `Bad handler: ${named_}: it must be FILE.EXPORT`);
  }
  const [, file, exported] = found;
  let module;
  try {
    module = await loadModule(root, path.join(path.dirname(named_), file));
  } catch (error) {
    if (error instanceof SyntaxError) {
      error.name = "Runtime.UserCodeSyntaxError";
      error.message = `SyntaxError: ${error.message}`;
    } else if (error.code === "MODULE_NOT_FOUND" || error.code === "ERR_MODULE_NOT_FOUND") {
      error.name = "Runtime.ImportModuleError";
      error.message = `Error: ${error.message}`;
    }
    throw error;
  }
  const within = (value) => exported.split(".").reduce((inner, key) => inner?.[key], value);
  const handler = within(module) ?? within(module.default);
  if (typeof handler !== "function") {
    throw named("Runtime.HandlerNotFound", `${named_} is undefined or not exported`);
  }
  return handler;
}

function contextOf(headers, finish) {
  const deadline = Number(headers["lambda-runtime-deadline-ms"]);
  return {
    callbackWaitsForEmptyEventLoop: true,
    functionName: process.env.AWS_LAMBDA_FUNCTION_NAME,
    functionVersion: process.env.AWS_LAMBDA_FUNCTION_VERSION,
    memoryLimitInMB: process.env.AWS_LAMBDA_FUNCTION_MEMORY_SIZE,
    logGroupName: process.env.AWS_LAMBDA_LOG_GROUP_NAME,
    logStreamName: process.env.AWS_LAMBDA_LOG_STREAM_NAME,
    invokedFunctionArn: headers["lambda-runtime-invoked-function-arn"],
    awsRequestId: requestId,
    getRemainingTimeInMillis: () => deadline - Date.now(),
    done: (error, value) => finish(error, value),
    succeed: (value) => finish(null, value),
    fail: (error) => finish(error ?? new Error("handled")),
  };
}

// Returns what the handler answers: of its promise, of its callback, or null where nothing is left to wait for.
function answered(handler, event, headers) {
  return new Promise((resolve, reject) => {
    const finish = (error, value) => {
      process.removeListener("beforeExit", atRest);
      if (error === null || error === undefined) {
        resolve(value);
      } else {
        reject(error);
      }
    };
    let called = [null, null];
    const atRest = () => finish(...called);
    process.on("beforeExit", atRest);
    const context = contextOf(headers, finish);
    const callback = (error, value) => {
      called = [error, value];
      if (error || !context.callbackWaitsForEmptyEventLoop) {
        finish(error, value);
      }
    };
    try {
      const returned = handler[STREAMED] ? streamed(handler, event, context) : handler(event, context, callback);
      if (typeof returned?.then === "function") {
        returned.then((value) => finish(null, value), (error) => finish(error ?? new Error(String(error))));
      }
    } catch (error) {
      finish(error ?? new Error(String(error)));
    }
  });
}

// Returns the whole of a streamed response: the harness reads none in parts.
async function streamed(handler, event, context) {
  const stream = new PassThrough();
  const parts = [];
  stream.on("data", (part) => parts.push(part));
  stream.setContentType = () => {};
  await handler(event, stream, context);
  if (!stream.readableEnded) {
    await new Promise((resolve) => stream.on("end", resolve));
  }
  const body = Buffer.concat(parts).toString();
  return stream.prelude ? { ...stream.prelude, body } : body;
}

function text(value) {
  try {
    return JSON.stringify(value === undefined ? null : value) ?? "null";
  } catch (error) {
    throw named("Runtime.UnserializableResponse", `Unable to stringify response body: ${error.message}`);
  }
}

async function failed(error) {
  const told = described(error);
  console.error(requestId ? "Invoke Error" : "Init Error", JSON.stringify(told));
  const route = requestId ? `/invocation/${requestId}/error` : "/init/error";
  await post(route, JSON.stringify(told), { "Lambda-Runtime-Function-Error-Type": told.errorType });
}

process.on("uncaughtException", async (error) => {
  await failed(error);
  process.exit(129);
});
process.on("unhandledRejection", async (reason) => {
  const error = named("Runtime.UnhandledPromiseRejection", String(reason));
  error.stack = reason?.stack ?? error.stack;
  await failed(error);
  process.exit(128);
});

let handler;
try {
  handler = await loadHandler();
} catch (error) {
  await failed(error);
  process.exit(1);
}
for (;;) {
  const next = await request("GET", "/invocation/next");
  requestId = next.headers["lambda-runtime-aws-request-id"];
  process.env._X_AMZN_TRACE_ID = next.headers["lambda-runtime-trace-id"] ?? "";
  let answer;
  try {
    answer = text(await answered(handler, JSON.parse(next.body.toString()), next.headers));
  } catch (error) {
    await failed(error);
    continue;
  }
  await post(`/invocation/${requestId}/response`, answer);
}
