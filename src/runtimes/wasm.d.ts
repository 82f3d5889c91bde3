/** Wrangler compiles the modules that a Worker imports; they cannot be compiled later. */
declare module "*.wasm" {
  const module: WebAssembly.Module;
  export default module;
}
