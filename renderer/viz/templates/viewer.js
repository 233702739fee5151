// 3-D view of one triangle mesh, without libraries: WebGL 2, drawn only when something changed.
// Reads <script type="application/json" class="mesh-data"> beside each <canvas class="mesh-view">.
"use strict";

const VERTEX_SHADER = `#version 300 es
uniform mat4 projection, view;
uniform float lift;
in vec3 position, normal;
out vec3 eye, n;
void main() {
  vec4 p = view * vec4(position, 1.0);
  eye = p.xyz;
  n = mat3(view) * normal;
  p.z += lift;
  gl_Position = projection * p;
}`;

// A key light from the upper left, sky and ground, a soft highlight and a rim, in linear light; the inside is warm.
const FRAGMENT_SHADER = `#version 300 es
precision highp float;
uniform bool flatShading, wire;
in vec3 eye, n;
out vec4 colour;
void main() {
  vec3 face = normalize(cross(dFdx(eye), dFdy(eye)));
  vec3 toEye = normalize(-eye);
  if (dot(face, toEye) < 0.0) face = -face;
  if (wire) { colour = vec4(0.05, 0.08, 0.14, 0.55); return; }
  vec3 m = flatShading ? face : normalize(n);
  bool inside = !gl_FrontFacing;
  if (inside && !flatShading) m = -m;
  vec3 base = inside ? vec3(0.72, 0.40, 0.22) : vec3(0.42, 0.52, 0.66);
  vec3 key = normalize(vec3(-0.45, 0.65, 0.75));
  float sky = 0.5 + 0.5 * m.y;
  vec3 light = mix(vec3(0.16, 0.15, 0.15), vec3(0.34, 0.38, 0.44), sky) + vec3(0.88, 0.85, 0.80) * max(dot(m, key), 0.0);
  float highlight = pow(max(dot(m, normalize(key + toEye)), 0.0), 40.0);
  float rim = pow(1.0 - max(dot(m, toEye), 0.0), 4.0);
  vec3 linear = base * light + vec3(0.16) * highlight + vec3(0.10, 0.13, 0.18) * rim;
  linear = min(linear, vec3(1.0));
  colour = vec4(mix(1.055 * pow(linear, vec3(1.0 / 2.4)) - 0.055, 12.92 * linear, lessThanEqual(linear, vec3(0.0031308))), 1.0);
}`;

const FIELD_OF_VIEW = 30 * Math.PI / 180;
const WIRE_LIFT = 0.003;  // of the radius, towards the eye: the wireframe lies in front of its own faces
const START = { azimuth: 0.6, elevation: 0.35, zoom: 1, pan: [0, 0] };

function decode(base64, Type) {
  return new Type(Uint8Array.from(atob(base64), c => c.charCodeAt(0)).buffer);
}

function compile(gl) {
  const program = gl.createProgram();
  for (const [kind, source] of [[gl.VERTEX_SHADER, VERTEX_SHADER], [gl.FRAGMENT_SHADER, FRAGMENT_SHADER]]) {
    const shader = gl.createShader(kind);
    gl.shaderSource(shader, source);
    gl.compileShader(shader);
    gl.attachShader(program, shader);
  }
  gl.bindAttribLocation(program, 0, "position");
  gl.bindAttribLocation(program, 1, "normal");
  gl.linkProgram(program);
  if (!gl.getProgramParameter(program, gl.LINK_STATUS)) throw new Error(gl.getProgramInfoLog(program));
  return program;
}

function start(figure) {
  const canvas = figure.querySelector("canvas");
  const data = JSON.parse(figure.querySelector(".mesh-data").textContent);
  const gl = canvas.getContext("webgl2", { antialias: true, preserveDrawingBuffer: true });
  if (!gl) { figure.classList.add("without-webgl"); return; }
  const program = compile(gl);
  const where = name => gl.getUniformLocation(program, name);
  const places = Object.fromEntries(["projection", "view", "flatShading", "wire", "lift"].map(n => [n, where(n)]));

  const faces = decode(data.faces, Uint32Array);
  const edges = new Uint32Array(2 * faces.length);
  for (let i = 0; i < faces.length; i++) {
    edges[2 * i] = faces[i];
    edges[2 * i + 1] = faces[i % 3 === 2 ? i - 2 : i + 1];
  }
  const upload = (target, values) => {
    const buffer = gl.createBuffer();
    gl.bindBuffer(target, buffer);
    gl.bufferData(target, values, gl.STATIC_DRAW);
    return buffer;
  };
  upload(gl.ARRAY_BUFFER, decode(data.positions, Float32Array));
  gl.enableVertexAttribArray(0);
  gl.vertexAttribPointer(0, 3, gl.FLOAT, false, 12, 0);
  upload(gl.ARRAY_BUFFER, decode(data.normals, Int8Array));
  gl.enableVertexAttribArray(1);
  gl.vertexAttribPointer(1, 3, gl.BYTE, true, 4, 0);
  const edgeBuffer = upload(gl.ELEMENT_ARRAY_BUFFER, edges);
  const faceBuffer = upload(gl.ELEMENT_ARRAY_BUFFER, faces);

  gl.useProgram(program);
  gl.enable(gl.DEPTH_TEST);
  gl.depthFunc(gl.LEQUAL);
  gl.enable(gl.BLEND);
  // The lines must not make the canvas itself transparent: its alpha adds up instead of being mixed.
  gl.blendFuncSeparate(gl.SRC_ALPHA, gl.ONE_MINUS_SRC_ALPHA, gl.ONE, gl.ONE_MINUS_SRC_ALPHA);
  gl.clearColor(0, 0, 0, 0);

  const axes = data.axes;  // right, up, backward (towards the eye) at azimuth and elevation 0
  const state = structuredClone(START);
  state.flat = state.wire = false;
  let waiting = false;
  const redraw = () => { if (!waiting) { waiting = true; requestAnimationFrame(draw); } };

  function viewMatrix(distance) {
    const [ca, sa, ce, se] = [Math.cos(state.azimuth), Math.sin(state.azimuth), Math.cos(state.elevation), Math.sin(state.elevation)];
    const turn = [[ca, 0, -sa], [-se * sa, ce, -se * ca], [ce * sa, se, ce * ca]];
    const rows = turn.map(r => [0, 1, 2].map(k => r[0] * axes[0][k] + r[1] * axes[1][k] + r[2] * axes[2][k]));
    return [...[0, 1, 2].flatMap(k => [rows[0][k], rows[1][k], rows[2][k], 0]), ...state.pan, -distance, 1];
  }

  function draw() {
    waiting = false;
    const scale = window.devicePixelRatio || 1;
    const [width, height] = [Math.round(canvas.clientWidth * scale), Math.round(canvas.clientHeight * scale)];
    if (canvas.width !== width || canvas.height !== height) { canvas.width = width; canvas.height = height; }
    gl.viewport(0, 0, width, height);
    gl.clear(gl.COLOR_BUFFER_BIT | gl.DEPTH_BUFFER_BIT);
    const aspect = width / height;
    const f = 1 / Math.tan(FIELD_OF_VIEW / 2);
    const distance = data.radius * 1.06 / Math.sin(FIELD_OF_VIEW / 2) / Math.min(1, aspect) / state.zoom;
    const near = Math.max(distance - 1.01 * data.radius, 0.01 * data.radius), far = distance + 1.01 * data.radius;
    gl.uniformMatrix4fv(places.projection, false,
      [f / aspect, 0, 0, 0, 0, f, 0, 0, 0, 0, (far + near) / (near - far), -1, 0, 0, 2 * far * near / (near - far), 0]);
    gl.uniformMatrix4fv(places.view, false, viewMatrix(distance));
    gl.uniform1i(places.flatShading, state.flat);
    gl.uniform1i(places.wire, false);
    gl.uniform1f(places.lift, 0);
    gl.bindBuffer(gl.ELEMENT_ARRAY_BUFFER, faceBuffer);
    gl.drawElements(gl.TRIANGLES, faces.length, gl.UNSIGNED_INT, 0);
    if (state.wire) {
      gl.uniform1i(places.wire, true);
      gl.uniform1f(places.lift, WIRE_LIFT * data.radius);
      gl.bindBuffer(gl.ELEMENT_ARRAY_BUFFER, edgeBuffer);
      gl.drawElements(gl.LINES, edges.length, gl.UNSIGNED_INT, 0);
    }
  }

  function turn(dx, dy) {
    state.azimuth -= dx;
    state.elevation = Math.max(-1.57, Math.min(1.57, state.elevation + dy));
    redraw();
  }
  function zoom(factor) { state.zoom = Math.max(0.2, Math.min(20, state.zoom * factor)); redraw(); }
  function pan(dx, dy) {
    const unitsPerPixel = 2 * data.radius * 1.06 / state.zoom / canvas.clientHeight;
    state.pan[0] += dx * unitsPerPixel; state.pan[1] -= dy * unitsPerPixel;
    redraw();
  }
  function reset() { Object.assign(state, structuredClone(START)); redraw(); }

  const pointers = new Map();
  canvas.addEventListener("pointerdown", e => { canvas.setPointerCapture(e.pointerId); pointers.set(e.pointerId, e); });
  for (const end of ["pointerup", "pointercancel"]) canvas.addEventListener(end, e => pointers.delete(e.pointerId));
  canvas.addEventListener("pointermove", e => {
    const last = pointers.get(e.pointerId);
    if (!last) return;
    const [dx, dy] = [e.clientX - last.clientX, e.clientY - last.clientY];
    const other = [...pointers.values()].find(p => p.pointerId !== e.pointerId);
    if (other) {
      const span = p => Math.hypot(p.clientX - other.clientX, p.clientY - other.clientY);
      zoom(span(e) / Math.max(span(last), 1));
      pan(dx / 2, dy / 2);
    } else if (e.shiftKey || e.buttons & 6) pan(dx, dy);
    else turn(dx * 0.008, dy * 0.008);
    pointers.set(e.pointerId, e);
  });
  canvas.addEventListener("contextmenu", e => e.preventDefault());
  canvas.addEventListener("wheel", e => {
    if (document.activeElement !== canvas && !e.ctrlKey) return;  // scrolling the page must not be caught
    e.preventDefault();
    zoom(Math.exp(-e.deltaY * (e.deltaMode ? 0.05 : 0.0015)));
  }, { passive: false });
  canvas.addEventListener("dblclick", reset);
  canvas.addEventListener("keydown", e => {
    const action = {
      ArrowLeft: () => turn(-0.1, 0), ArrowRight: () => turn(0.1, 0), ArrowUp: () => turn(0, -0.1),
      ArrowDown: () => turn(0, 0.1), "+": () => zoom(1.15), "=": () => zoom(1.15), "-": () => zoom(1 / 1.15), r: reset,
    }[e.key];
    if (action) { e.preventDefault(); action(); }
  });
  figure.querySelector("[data-action=reset]").addEventListener("click", reset);
  for (const name of ["flat", "wire"]) {
    figure.querySelector(`[data-action=${name}]`).addEventListener("change", e => { state[name] = e.target.checked; redraw(); });
  }
  new ResizeObserver(redraw).observe(canvas);
  draw();
}

document.querySelectorAll("figure.viewer").forEach(start);
