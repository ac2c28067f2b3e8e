{{/* A pod of one container. Of `root`, the chart's; `component`; `values`, the component's; `account`;
`secret`, and `secrets`, the variables that are in it; `env`, a dictionary; `shell`, the line of the
Procfile; `spool`, how much may lie in /data; `grace`, the seconds until SIGKILL; `more`, what else the
container has; `restart`. */}}
{{- define "batchline.pod" -}}
metadata:
  labels:
    {{- include "batchline.labels" . | nindent 4 }}
  {{- $annotations := .values.podAnnotations | default dict }}
  {{- if .root.Values.secrets.revision }}
  {{- $annotations = merge (dict "batchline-secrets-revision" .root.Values.secrets.revision) $annotations }}
  {{- end }}
  {{- with $annotations }}
  annotations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
spec:
  serviceAccountName: {{ .account }}
  automountServiceAccountToken: false
  # Of a Service called `flower` or `redis` the variables would be taken for settings.
  enableServiceLinks: false
  # The process is then not the first, which would have to reap others, and to which signals that
  # it has no handler for mean nothing.
  shareProcessNamespace: true
  restartPolicy: {{ .restart | default "Always" }}
  terminationGracePeriodSeconds: {{ .grace }}
  {{- with .root.Values.imagePullSecrets }}
  imagePullSecrets:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  securityContext:
    runAsNonRoot: true
    runAsUser: 10001
    runAsGroup: 10001
    fsGroup: 10001
    fsGroupChangePolicy: OnRootMismatch
    seccompProfile:
      type: RuntimeDefault
  containers:
    - name: {{ .component }}
      image: {{ include "batchline.image" .root | quote }}
      imagePullPolicy: {{ .root.Values.image.pullPolicy }}
      command: [sh, -c]
      args:
        # Of two dollar signs Kubernetes makes one.
        - {{ printf "exec %s" .shell | replace "$" "$$" | quote }}
      securityContext:
        allowPrivilegeEscalation: false
        privileged: false
        readOnlyRootFilesystem: true
        capabilities:
          drop: [ALL]
      env:
        {{- range $variable := .secrets }}
        - name: {{ $variable }}_FILE
          value: /run/secrets/batchline/{{ $variable }}
        {{- end }}
        {{- range $name, $value := .env }}
        - name: {{ $name }}
          value: {{ include "batchline.value" $value }}
        {{- end }}
        {{- with .root.Values.extraEnv }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
      {{- with .root.Values.extraEnvFrom }}
      envFrom:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- with .more }}
      {{- . | nindent 6 }}
      {{- end }}
      resources:
        {{- toYaml .values.resources | nindent 8 }}
      volumeMounts:
        - name: secrets
          mountPath: /run/secrets/batchline
          readOnly: true
        - name: data
          mountPath: /data
        - name: tmp
          mountPath: /tmp
        {{- with .root.Values.extraVolumeMounts }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
  volumes:
    - name: secrets
      secret:
        secretName: {{ .secret }}
        defaultMode: 0440
        items:
          {{- range $variable := .secrets }}
          - key: {{ $variable }}
            path: {{ $variable }}
          {{- end }}
    - name: data
      emptyDir:
        sizeLimit: {{ .spool }}
    - name: tmp
      emptyDir:
        sizeLimit: 64Mi
    {{- with .root.Values.extraVolumes }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  {{- with .values.nodeSelector }}
  nodeSelector:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .values.tolerations }}
  tolerations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .values.affinity }}
  affinity:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .values.topologySpreadConstraints }}
  topologySpreadConstraints:
    {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end -}}

{{/* What all processes are set to, as YAML of a dictionary. */}}
{{- define "batchline.settings" -}}
{{- $own := dict "BATCHLINE_HOME" "/data" "TMPDIR" "/data" "LOG_FORMAT" "json" -}}
{{- $own = merge $own (dict "HANDLERS" (join "," .Values.handlers)) -}}
{{- $own = merge $own (dict "WORKER_CONCURRENCY" .Values.worker.concurrency "SLOW_CONCURRENCY" .Values.slow.concurrency) -}}
{{- merge $own .Values.settings | toYaml -}}
{{- end -}}

{{- define "batchline.account" -}}
{{- if .Values.serviceAccount.name -}}
{{- .Values.serviceAccount.name -}}
{{- else if .Values.serviceAccount.create -}}
{{- include "batchline.fullname" . -}}
{{- else -}}
default
{{- end -}}
{{- end -}}

{{/* Of the variables that the Secret has those that a component reads, as YAML of a dictionary's list. */}}
{{- define "batchline.secrets" -}}
{{- $read := list "DATABASE_URL" "REDIS_URL" "BROKER_URL" -}}
{{- if has .component (list "web" "worker" "slow") -}}
{{- $read = append $read "HTTP_HANDLER_BASES" -}}
{{- end -}}
{{- if eq .component "web" -}}
{{- $read = append $read "METRICS_TOKEN" -}}
{{- end -}}
{{- $found := list -}}
{{- range .root.Values.secrets.variables -}}
{{- if has . $read -}}
{{- $found = append $found . -}}
{{- end -}}
{{- end -}}
{{- if eq .component "flower" -}}
{{- $found = append $found "FLOWER_BASIC_AUTH" -}}
{{- end -}}
{{- dict "list" $found | toYaml -}}
{{- end -}}
