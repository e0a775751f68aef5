// A second function of the same process.
exports.main = async () => ({ function: "b", count: globalThis.count ?? 0 });
