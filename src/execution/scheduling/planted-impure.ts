import fs from 'node:fs';
void fs;
