import "./main.css";
import { sentence } from "./sentence.js";

const response = await fetch("api/visits");
document.querySelector("#visits").textContent = response.ok ? sentence(await response.json()) : `The server answers ${response.status}.`;
